#!/usr/bin/env node
// A till in Node, with the standard library alone: sells, waits for the authority, voids.
//   node till.mjs path/to/journal/agent.sock
import { randomUUID } from "node:crypto";
import { request } from "node:http";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const socketPath = process.argv[2] ?? "journal/agent.sock";

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    const asked = request({ socketPath, method, path, headers }, resolve);
    asked.on("error", reject);
    asked.end(body);
  });
}

// Hands a document over. Whatever happens on the way, the same key gives the same ticket: so it may be repeated.
async function take(document) {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    try {
      const answer = await call("POST", "/v1/documents", JSON.stringify(document));
      let text = "";
      for await (const part of answer.setEncoding("utf8")) text += part;
      const said = JSON.parse(text);
      if (answer.statusCode === 200 || answer.statusCode === 201) return said;
      if (answer.statusCode !== 503) throw Object.assign(new Error(JSON.stringify(said.error)), { final: true });
      await sleep(1000 * Number(answer.headers["retry-after"] ?? 1));
    } catch (error) {
      if (error.final) throw error;
      await sleep(Math.min(100 * 2 ** attempt, 5000));
    }
  }
  throw new Error("the agent does not answer");
}

// Waits for a document's state by events; gives the number of that event, from which one may go on later.
async function waitFor(key, state, after = 0) {
  for (;;) {
    try {
      const answer = await call("GET", `/v1/events?after=${after}`);
      for await (const line of createInterface({ input: answer })) {
        if (!line.startsWith("data: ")) continue;
        const change = JSON.parse(line.slice(6));
        after = change.seq;
        if (change.key === key && change.state === state) {
          answer.destroy();
          return after;
        }
      }
    } catch (error) {
      if (error instanceof SyntaxError) throw error;
    }
    await sleep(200);
  }
}

const key = `node-${randomUUID()}`;
const items = [{ quantity: 2, description: "Caffè", unit_price: "1.20", vat_rate_code: "10" }];
const body = { fiscal_id: "12345678903", items, cash_payment_amount: "2.40" };
console.log(await take({ key, kind: "receipt", account: "shop-roma", body }));
const seen = await waitFor(key, "registered");
console.log(`${key} is registered`);

console.log(await take({ key: `${key}-void`, kind: "void", parent: key }));
await waitFor(`${key}-void`, "registered", seen);
console.log(`${key} is voided`);
