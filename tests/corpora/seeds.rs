//! Seeds: where a fuzzer begins. Made from what is known to matter, so that it need not be guessed.

use std::path::Path;

/// Name and bytes of each seed of a target.
pub fn of(target: &str) -> Vec<(String, Vec<u8>)> {
    match target {
        "actions" => actions(),
        "config_file" => config_file(),
        "document_line" => document_line(),
        "journal_folder" => journal_folder(),
        "money_totals" => money_totals(),
        "provider_answers" => provider_answers(),
        "record" => record(),
        other => panic!("no target {other}"),
    }
}

fn read(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn text(path: &str) -> String {
    String::from_utf8(read(path)).unwrap()
}

/// What `arbitrary` takes for this variant of an enum of so many.
fn variant(which: u64, of: u64) -> [u8; 4] {
    u32::try_from((which << 32).div_ceil(of)).unwrap().to_le_bytes()
}

fn named(prefix: &str, all: impl IntoIterator<Item = Vec<u8>>) -> Vec<(String, Vec<u8>)> {
    all.into_iter().enumerate().map(|(number, bytes)| (format!("{prefix}-{number:02}"), bytes)).collect()
}

fn record() -> Vec<(String, Vec<u8>)> {
    let mut records: Vec<Vec<u8>> = Vec::new();
    for segment in ["00000000000000000001", "00000000000000000014", "00000000000000000030"] {
        let bytes = read(&format!("tests/fixtures/journal-v1/segments/{segment}.seg"));
        let mut at = 104;
        while let Some(length) = bytes.get(at + 8..at + 12) {
            let end = at + 88 + u32::from_le_bytes(length.try_into().unwrap()) as usize;
            records.push([&variant(1, 2), &bytes[at..end]].concat());
            at = end;
        }
    }
    named("fixture", records)
}

const FOUND: &str = concat!(
    "04ebebebffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed8e668e8e7e8e8e8e8e8e8e",
    "8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e868e8e8effffed8e668e8e7e8e8e8e8effffffffffffffffffffffffffebebebebeb",
    "8e8e",
);

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn journal_folder() -> Vec<(String, Vec<u8>)> {
    // Each kind of damage, to the checkpoint (0), the first segment (1) and the last (3).
    let fields = |file: u8| [file, 120, 2, 5, 60, 1, 0, 0, 9, 9, 9, 9];
    let alone = (0..13).flat_map(|kind| [0, 1, 3].map(|file| [&variant(kind, 13)[..], &fields(file)].concat()));
    let mut all: Vec<Vec<u8>> = alone.collect();
    all.push([&variant(8, 13)[..], &[0], &variant(3, 13), &[3, 200, 1]].concat()); // no witness, and a cut
    all.push([&variant(8, 13)[..], &[0], &variant(8, 13), &[2]].concat()); // no witness, and a segment is gone
    let mut seeds = named("damage", all);
    // Letters in the middle of the first document's text, with the record's checksum put right.
    let forged = (0..8u16).map(|place| {
        let offset = (130 + 23 * place).to_le_bytes();
        [&variant(12, 13)[..], &[1, 1], &offset, b"zzzz"].concat()
    });
    seeds.extend(named("forged", forged));
    // Numbers after which no other comes, with the checksum put right: place, group and number.
    let endless = [&[0u16][..], &[4, 8], &[12, 16]].map(|offsets| {
        let forge = |offset: &u16| [&variant(12, 13)[..], &[1, 1], &offset.to_le_bytes(), &[0xff; 4]].concat();
        offsets.iter().flat_map(forge).collect()
    });
    seeds.extend(named("endless", endless));
    // Found by fuzzing: the last record is of such a group, and after it there is damage.
    seeds.extend(named("found", [from_hex(FOUND)]));
    seeds
}

fn document_line() -> Vec<(String, Vec<u8>)> {
    let day = text("examples/shop-day.jsonl");
    let mut seeds = named("day", day.lines().step_by(5).take(10).map(|line| line.as_bytes().to_vec()));
    for (file, kind, parent) in
        [("sales", "receipt", ""), ("returns", "return", r#""parent":"sale-1","#), ("tax-free-drafts", "draft", "")]
    {
        let cases = text(&format!("tests/vectors/{file}.jsonl"));
        let inputs = cases.lines().step_by(4).take(12).filter_map(|case| {
            let case: serde_json::Value = serde_json::from_str(case).ok()?;
            Some(format!(r#"{{"key":"k","kind":"{kind}",{parent}"body":{}}}"#, case.get("input")?).into_bytes())
        });
        seeds.extend(named(file, inputs.filter(|line| line.len() < 4_000)));
    }
    let small = [
        r#"{"kind":"void","parent":"sale-1"}"#,
        r#"{"kind":"void","parent":{"remote_id":"r-1"},"body":{"credit_note_number":"NC-1"}}"#,
        r#"{"kind":"note_number","parent":"draft-1","body":{"note":"credit_vat","number":"NC-7"},"issued_at":"2026-11-22T10:30:00+01:00"}"#,
        "\u{feff}{\"kind\":\"receipt\",\"body\":{\"fiscal_id\":\"1\",\"items\":[{\"quantity\":1e0,\"description\":\"\\u00e8\",\"unit_price\":\"1.00000000\",\"vat_rate_code\":\"N2\"}],\"cash_payment_amount\":1}}\r\n",
        r#"{"kind":"draft","body":{"MerchantInvoiceId":"F-1","CreatedOn":"22/11/2026 10:30:00","Items":[{"Description":"Borsa","Quantity":1,"UnitPriceWithVat":244,"VatRate":22}]}}"#,
    ];
    seeds.extend(named("small", small.map(|line| line.as_bytes().to_vec())));
    seeds
}

fn money_totals() -> Vec<(String, Vec<u8>)> {
    let line = |quantity: u32, price: u64, discount: u16, rate: u8, gift: bool| {
        let mut bytes = vec![1];
        bytes.extend(quantity.to_le_bytes());
        bytes.extend(price.to_le_bytes());
        bytes.extend(discount.to_le_bytes());
        bytes.extend([rate, u8::from(gift)]);
        bytes
    };
    let sale = |lines: Vec<Vec<u8>>| [variant(0, 3).to_vec(), lines.concat()].concat();
    let mut seeds = named(
        "sale",
        [
            sale(vec![line(199, 120_000_000, 0, 2, false), line(0, 150_000_000, 0, 2, false)]),
            sale(vec![line(99, 1_000_000_000, 500, 3, false), line(99, 33_333_333, 333, 0, true)]),
            sale((0..30).map(|rate| line(1 + u32::from(rate), 99_999_999, 7, rate, rate % 7 == 0)).collect()),
            sale(vec![line(999_999_998, u64::MAX, 999, 9, false)]),
        ],
    );
    let texts = [
        "0",
        "-0.00",
        "12.34",
        "1e400",
        "1.5e-12",
        "007",
        ".5",
        "5.",
        "123456789012345678.123456789012",
        "1E+2",
        "0e99999999999",
    ];
    seeds.extend(named("text", texts.map(|text| [&variant(2, 3)[..], text.as_bytes()].concat())));
    seeds.extend(named(
        "number",
        [vec![0; 30], vec![255; 30], (0..30).collect()].map(|rest| [&variant(1, 3)[..], &rest].concat()),
    ));
    seeds
}

fn provider_answers() -> Vec<(String, Vec<u8>)> {
    // Provider, kind, question, the number of a known status, body.
    let cases: &[(u8, u8, u64, u8, &str)] = &[
        (
            0,
            0,
            0,
            1,
            r#"{"success":true,"message":"","error":null,"data":{"id":"655e2f","status":"new","fiscal_id":"12345678903","created_at":"2026-11-22T12:00:01Z","total_amount":"3.80"}}"#,
        ),
        (0, 0, 0, 0, r#"{"success":true,"data":{"id":null}}"#),
        (
            0,
            0,
            0,
            11,
            r#"{"success":false,"message":"Validation failed","error":422,"data":{"violations":[{"propertyPath":"","message":"Total paid"}]}}"#,
        ),
        (0, 0, 0, 3, ""),
        (0, 1, 0, 0, r#"{"success":true,"data":{"id":"parent","status":"new"}}"#),
        (0, 2, 0, 9, r#"{"success":false,"message":"Receipt not found","error":404}"#),
        (
            0,
            0,
            1,
            0,
            r#"{"success":true,"data":{"id":"x","status":"ready","document_number":"DCW2026/2610-5298","transaction_id":"t","items":[{"id":"489432","description":"Caffè","quantity":"2.00","gross_price":"1.20000000","vat_rate_code":"10"}]}}"#,
        ),
        (
            0,
            0,
            2,
            0,
            r#"{"success":true,"data":[{"id":"a","status":"new","tags":["staffetta:till-3/2026-11-22/000123"],"created_at":"2026-11-22T12:00:01Z","total_amount":"3.80"}]}"#,
        ),
        (0, 0, 0, 12, "<html>429</html>"),
        (
            1,
            0,
            0,
            1,
            r#"{"uuid":"7f1c9a1e-0000-4000-8000-000000000001","status":"new","fiscal_id":"12345678903","type":"sale","total_amount":"3.80","created_at":"2026-11-22T12:00:01+00:00"}"#,
        ),
        (
            1,
            0,
            0,
            5,
            r#"{"type":"https://tools.ietf.org/html/rfc2616#section-10","title":"An error occurred","detail":"BAD_REQUEST"}"#,
        ),
        (
            1,
            0,
            0,
            11,
            r#"{"@type":"ConstraintViolationList","detail":"items[0].vat_rate_code: wrong","violations":[{"propertyPath":"items[0].vat_rate_code","message":"wrong"}]}"#,
        ),
        (
            1,
            0,
            1,
            0,
            r#"{"uuid":"x","status":"failed","error_code":"10022","error_message":"the password has expired"}"#,
        ),
        (
            1,
            1,
            2,
            0,
            r#"[{"uuid":"a","type":"return","status":"ready","parent_receipt_uuid":"parent","created_at":"2026-11-22T12:00:01Z","items":[]}]"#,
        ),
        (1, 0, 0, 6, r#"{"code":401,"message":"JWT Token not found"}"#),
        (2, 1, 0, 0, r#"{"DraftId":"d-1","InvoiceId":"i-1"}"#),
        (2, 1, 0, 0, r#"{"ErrorCode":101,"ErrorMessage":"Not found"}"#),
        (2, 1, 1, 0, r#"{"Status":1,"OtelloId":"CRF0-1"}"#),
        (2, 2, 0, 0, "true"),
        (2, 0, 0, 0, ""),
    ];
    let seeds = cases.iter().map(|(provider, kind, question, status, body)| {
        let mut bytes = vec![*provider, *kind];
        bytes.extend(variant(*question, 3));
        bytes.extend(variant(0, 2));
        bytes.extend([*status, 0, 0]);
        bytes.extend(body.as_bytes());
        bytes
    });
    named("answer", seeds)
}

fn config_file() -> Vec<(String, Vec<u8>)> {
    let example = staffetta::cli::raw::EXAMPLE;
    let account = "[[account]]\nname = \"x\"\nprovider = \"openapi\"\nbase_url = \"https://x\"\nfiscal_ids = [\"1\"]\n";
    let texts = [
        example.to_owned(),
        format!("{account}token = \"Hush-7391\"\n"),
        format!("{account}token = [\"Hush-7391\"]\n"),
        format!("{account}tokne = \"Hush-7391\"\n"),
        format!("{account}token = {{ env = \"TOKEN\", file = \"token\" }}\nblackout = \"23:50-00:01\"\n"),
        format!("{account}token = \"Hush-7391\nbase_url = 1\n"),
        "[[account]]\nname = \"s\"\nprovider = \"smart-receipt\"\nbase_url = \"http://u:Hush-7391@127.0.0.1/a\"\nlogin_url = \"http://127.0.0.1/l\"\nemail = \"a@b\"\npassword = { file = \"p\" }\nfiscal_ids = []\n".to_owned(),
        "[dispatch]\nin_flight = 8\nbackoff = { initial = \"5s\", factor = 2.0, max = \"15m\", jitter = 0.5 }\nblackout = \"none\"\n".to_owned(),
        "[journal]\npath = \"\"\n[agent]\nlisten = \"127.0.0.1:7071\"\ntoken = { file = \"agent.token\" }\n".to_owned(),
    ];
    named("file", texts.map(String::into_bytes))
}

fn actions() -> Vec<(String, Vec<u8>)> {
    const SALE: [u8; 4] = [0, 0, 0, 0];
    const RETURN: [u8; 4] = [3, 0, 0, 0];
    const VOID: [u8; 4] = [4, 0, 0, 0];
    const SUBMIT: [u8; 4] = [7, 0, 0, 0];
    const YES: [u8; 4] = [11, 0, 0, 0];
    const LOST: [u8; 4] = [14, 0, 0, 0];
    const LOST_AFTER: [u8; 4] = [14, 0, 1, 0];
    const LOST_LATE: [u8; 4] = [14, 0, 2, 90];
    const LOOK: [u8; 4] = [16, 0, 0, 0];
    const REGISTERED: [u8; 4] = [19, 0, 1, 0];
    const WAIT: [u8; 4] = [25, 200, 0, 0];
    const JUMP: [u8; 4] = [26, 0, 0, 0];
    const KILL: [u8; 4] = [27, 1, 0, 0];
    const CUT: [u8; 4] = [28, 1, 2, 3];
    const FULL: [u8; 4] = [29, 40, 0, 0];
    const FAILS: [u8; 4] = [30, 1, 3, 0];
    const HEALS: [u8; 4] = [31, 0, 0, 0];
    let lives: [&[[u8; 4]]; 9] = [
        &[SALE, SUBMIT, YES, WAIT, REGISTERED, RETURN, SUBMIT, YES, WAIT, REGISTERED],
        &[SALE, SUBMIT, LOST, WAIT, LOOK, WAIT, LOOK, WAIT, SUBMIT, YES],
        &[SALE, SUBMIT, LOST_AFTER, WAIT, LOOK, WAIT, REGISTERED, VOID, SUBMIT, YES],
        &[SALE, SUBMIT, LOST_LATE, WAIT, LOOK, WAIT, LOOK],
        &[SALE, SUBMIT, KILL, WAIT, LOOK, SALE, CUT, SUBMIT, CUT, WAIT, LOOK],
        &[SALE, FULL, SALE, SALE, SALE, SUBMIT, YES, HEALS, SALE, SUBMIT],
        &[SALE, FAILS, SALE, HEALS, SALE, SUBMIT, FAILS, YES, CUT, WAIT, LOOK],
        &[SALE, SALE, SUBMIT, SUBMIT, JUMP, LOST, YES, CUT, WAIT, LOOK, REGISTERED],
        &[SALE, VOID, SALE, RETURN, VOID, SUBMIT, YES, WAIT, SUBMIT, KILL],
    ];
    named("life", lives.map(|life| life.concat()))
}
