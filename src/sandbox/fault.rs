//! What can go wrong on demand. The plan's JSON is described, with an example of each fault, in the
//! [module's documentation](super).

use serde_json::{Map, Value, json};

use crate::domain::account::ProviderKind;
use crate::domain::money::Decimal;

use super::ask::{Ask, Call, Room};

/// How a connection ends when a fault ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With a TCP reset.
    Reset,
    /// In good order, but without an answer.
    Close,
}

/// What the authority makes of a document, when a fault decides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It takes it.
    Accept,
    /// It refuses it: status `failed`, never issued.
    Fail {
        /// `error_code`.
        code: String,
        /// `error_message`.
        message: String,
    },
    /// It cannot be reached for so long: status `retry`, then as usual.
    Retry {
        /// How long.
        ms: u64,
        /// `error_code` meanwhile.
        code: String,
        /// `error_message` meanwhile.
        message: String,
    },
    /// The provider says yes and then loses it: never issued, and nothing knows its id.
    Lose,
}

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The request's connection is reset unread, and the port refuses connections for so long.
    RefuseConnection {
        /// Milliseconds.
        ms: u64,
    },
    /// The answer comes late.
    Delay {
        /// Milliseconds.
        ms: u64,
        /// Whether the request is processed only then too, and even if the client has gone meanwhile.
        late: bool,
    },
    /// The connection ends before the request is processed.
    DropBefore(Ending),
    /// The request is processed, then the connection ends without an answer.
    DropAfter(Ending),
    /// Processed; the answer's head and half of its body, then the end.
    HalfAnswer,
    /// Nothing for so long, then the end.
    Hang {
        /// Milliseconds.
        ms: u64,
        /// Whether the request is processed first.
        processed: bool,
    },
    /// Another status than the one it would have had.
    Status {
        /// The status.
        code: u16,
        /// The body; none: what the provider prints with that status.
        body: Option<String>,
        /// More headers, `Retry-After` for example.
        headers: Vec<(String, String)>,
        /// Whether the request is processed first.
        processed: bool,
    },
    /// A page of HTML, as a proxy prints it.
    Html {
        /// The status.
        code: u16,
        /// Whether the request is processed first.
        processed: bool,
    },
    /// Processed; JSON that stops in the middle, complete as HTTP.
    BrokenJson,
    /// Processed; a body of so many bytes.
    HugeBody {
        /// Bytes.
        bytes: u64,
    },
    /// Processed; the right status, no body.
    EmptyBody,
    /// A redirect.
    Redirect {
        /// The status.
        code: u16,
        /// Where to; none: to itself.
        location: Option<String>,
        /// Whether the request is processed first.
        processed: bool,
    },
    /// Lists leave out what is younger.
    LagLists {
        /// Milliseconds.
        ms: u64,
    },
    /// The provider answers as usual; what becomes of the document afterwards is this.
    Authority(Outcome),
}

/// A fault and whom it hits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Requests to this provider; none: to any.
    pub provider: Option<ProviderKind>,
    /// This call; none: any.
    pub call: Option<Call>,
    /// Requests whose path or body contain this text.
    pub contains: Option<String>,
    /// The first so many such requests go through.
    pub skip: u64,
    /// It is applied so many times; none: always.
    pub times: Option<u64>,
    /// With this probability, in millionths.
    pub per_million: u32,
    /// What happens.
    pub fault: Fault,
}

impl Rule {
    /// A fault that hits every request.
    pub fn new(fault: Fault) -> Rule {
        Rule { provider: None, call: None, contains: None, skip: 0, times: None, per_million: 1_000_000, fault }
    }

    /// Only requests to this provider.
    pub fn provider(mut self, provider: ProviderKind) -> Rule {
        self.provider = Some(provider);
        self
    }

    /// Only this call.
    pub fn call(mut self, call: Call) -> Rule {
        self.call = Some(call);
        self
    }

    /// Only requests whose path or body contain this text.
    pub fn contains(mut self, text: impl Into<String>) -> Rule {
        self.contains = Some(text.into());
        self
    }

    /// Lets the first so many through.
    pub fn skip(mut self, skip: u64) -> Rule {
        self.skip = skip;
        self
    }

    /// Is applied so many times.
    pub fn times(mut self, times: u64) -> Rule {
        self.times = Some(times);
        self
    }

    /// Whether it is about this request.
    pub(super) fn hits(&self, ask: &Ask) -> bool {
        let Room::Provider(provider) = ask.room else { return false };
        let contains = |text: &String| ask.target.contains(text) || find(&ask.body, text.as_bytes());
        self.provider.is_none_or(|wanted| wanted == provider)
            && self.call.is_none_or(|wanted| wanted == ask.call)
            && self.contains.as_ref().is_none_or(contains)
    }
}

fn find(body: &[u8], text: &[u8]) -> bool {
    text.is_empty() || body.windows(text.len()).any(|window| window == text)
}

/// Everything that is to go wrong. The first rule that hits a request is applied to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FaultPlan {
    /// For the probabilities: the same seed and the same requests give the same faults.
    pub seed: u64,
    /// The rules, in order.
    pub rules: Vec<Rule>,
    /// Settings that a plan file brings along (the members of [`super::Settings`]).
    pub settings: Option<Value>,
}

/// What is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("fault plan: {0}")]
pub struct FaultPlanError(pub String);

impl FaultPlan {
    /// One rule.
    pub fn one(rule: Rule) -> FaultPlan {
        FaultPlan { seed: 0, rules: vec![rule], settings: None }
    }

    /// Reads a plan.
    ///
    /// # Errors
    /// What cannot be read, and where; unknown members too.
    pub fn parse(json: &[u8]) -> Result<FaultPlan, FaultPlanError> {
        let value: Value = serde_json::from_slice(json).map_err(|error| FaultPlanError(error.to_string()))?;
        super::fault_json::plan(value)
    }

    /// The plan as JSON, the way [`parse`](FaultPlan::parse) reads it.
    pub fn to_json(&self) -> Value {
        let rules: Vec<Value> = self.rules.iter().map(Rule::to_json).collect();
        let mut plan = json!({ "seed": self.seed, "faults": rules });
        if let (Some(settings), Some(members)) = (&self.settings, plan.as_object_mut()) {
            members.insert("settings".to_owned(), settings.clone());
        }
        plan
    }
}

impl Rule {
    fn to_json(&self) -> Value {
        let probability = Decimal::new(i128::from(self.per_million), 6).unwrap_or(Decimal::ONE).normal();
        let mut rule = json!({
            "provider": self.provider.map_or("*", ProviderKind::name),
            "call": self.call.map_or("*", Call::name),
            "skip": self.skip,
            "times": self.times,
            "probability": probability.to_string(),
            "fault": self.fault.to_json(),
        });
        if let (Some(text), Some(members)) = (&self.contains, rule.as_object_mut()) {
            members.insert("contains".to_owned(), json!(text));
        }
        rule
    }
}

impl Fault {
    /// The name in plans and in the log.
    pub fn name(&self) -> &'static str {
        match self {
            Fault::RefuseConnection { .. } => "refuse_connection",
            Fault::Delay { .. } => "delay",
            Fault::DropBefore(_) => "drop_before",
            Fault::DropAfter(_) => "drop_after",
            Fault::HalfAnswer => "half_answer",
            Fault::Hang { .. } => "hang",
            Fault::Status { .. } => "status",
            Fault::Html { .. } => "html",
            Fault::BrokenJson => "broken_json",
            Fault::HugeBody { .. } => "huge_body",
            Fault::EmptyBody => "empty_body",
            Fault::Redirect { .. } => "redirect",
            Fault::LagLists { .. } => "lag_lists",
            Fault::Authority(Outcome::Lose) => "lose_after_202",
            Fault::Authority(_) => "authority",
        }
    }

    /// Whether a request so spoilt is processed at all.
    pub fn processed(&self) -> bool {
        match self {
            Fault::RefuseConnection { .. } | Fault::DropBefore(_) => false,
            Fault::Hang { processed, .. }
            | Fault::Status { processed, .. }
            | Fault::Html { processed, .. }
            | Fault::Redirect { processed, .. } => *processed,
            _ => true,
        }
    }

    fn to_json(&self) -> Value {
        let ending = |ending: &Ending| if *ending == Ending::Reset { "reset" } else { "close" };
        let mut members = match self {
            Fault::RefuseConnection { ms } | Fault::LagLists { ms } => json!({ "ms": ms }),
            Fault::Delay { ms, late } => json!({ "ms": ms, "late": late }),
            Fault::DropBefore(how) | Fault::DropAfter(how) => json!({ "how": ending(how) }),
            Fault::HalfAnswer | Fault::BrokenJson | Fault::EmptyBody => json!({}),
            Fault::Hang { ms, processed } => json!({ "ms": ms, "processed": processed }),
            Fault::Status { code, body, headers, processed } => {
                let headers: Map<String, Value> = headers.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
                json!({ "code": code, "body": body, "headers": headers, "processed": processed })
            }
            Fault::Html { code, processed } => json!({ "code": code, "processed": processed }),
            Fault::HugeBody { bytes } => json!({ "bytes": bytes }),
            Fault::Redirect { code, location, processed } => {
                json!({ "code": code, "location": location, "processed": processed })
            }
            Fault::Authority(Outcome::Fail { code, message }) => {
                json!({ "outcome": "failed", "code": code, "message": message })
            }
            Fault::Authority(Outcome::Retry { ms, code, message }) => {
                json!({ "outcome": "retry", "ms": ms, "code": code, "message": message })
            }
            Fault::Authority(Outcome::Accept) => json!({ "outcome": "accepted" }),
            Fault::Authority(Outcome::Lose) => json!({}),
        };
        if let Some(members) = members.as_object_mut() {
            members.insert("type".to_owned(), json!(self.name()));
        }
        members
    }
}
