//! A fault plan at work: what has been seen, what has been applied, what happens next.

use serde_json::{Value, json};

use super::ask::Ask;
use super::fault::{Fault, FaultPlan};

/// A plan at work.
#[derive(Debug, Clone, Default)]
pub struct Live {
    plan: FaultPlan,
    counts: Vec<Count>,
    dice: u64,
}

/// How often a rule's requests came, and how often it was applied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Count {
    /// Requests that the rule is about, as far as no earlier rule took them.
    pub seen: u64,
    /// Faults.
    pub applied: u64,
}

impl Live {
    /// Begins a plan.
    pub fn new(plan: FaultPlan) -> Live {
        Live { counts: vec![Count::default(); plan.rules.len()], dice: plan.seed, plan }
    }

    /// The same plan from its beginning.
    pub fn again(&self) -> Live {
        Live::new(self.plan.clone())
    }

    /// How often each rule was seen and applied.
    pub fn counts(&self) -> &[Count] {
        &self.counts
    }

    /// The plan and its counts.
    pub fn to_json(&self) -> Value {
        json!({ "plan": self.plan.to_json(), "counts": self.counts })
    }

    /// What happens to this request.
    pub fn choose(&mut self, ask: &Ask) -> Option<Fault> {
        for (rule, count) in self.plan.rules.iter().zip(&mut self.counts) {
            if !rule.hits(ask) {
                continue;
            }
            count.seen += 1;
            if count.seen <= rule.skip || rule.times.is_some_and(|times| count.applied >= times) {
                continue;
            }
            if rule.per_million < 1_000_000 && roll(&mut self.dice) >= rule.per_million {
                continue;
            }
            count.applied += 1;
            return Some(rule.fault.clone());
        }
        None
    }
}

/// The next number below a million (splitmix64): repeatable, and good enough to throw dice with.
fn roll(state: &mut u64) -> u32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    u32::try_from((mixed ^ (mixed >> 31)) % 1_000_000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::ask::Call;
    use super::super::fault::Rule;
    use super::*;
    use crate::domain::account::ProviderKind;
    use axum::http::{HeaderMap, Method};

    fn ask(target: &str, body: &'static str) -> Ask {
        let at = chrono::DateTime::UNIX_EPOCH;
        Ask::new(Method::POST, target, HeaderMap::new(), bytes::Bytes::from_static(body.as_bytes()), at)
    }

    #[test]
    fn rules_are_aimed_and_counted() {
        let rule = Rule::new(Fault::HalfAnswer).provider(ProviderKind::Openapi).call(Call::Submit).skip(1).times(2);
        let mut live = Live::new(FaultPlan::one(rule.contains("pane")));
        let hit = ask("/openapi/IT-receipts", "{pane}");
        assert_eq!(live.choose(&ask("/openapi/IT-receipts", "{latte}")), None);
        assert_eq!(live.choose(&ask("/smart-receipt/receipts", "{pane}")), None);
        assert_eq!(live.choose(&ask("/_sandbox/ledger", "{pane}")), None);
        let got: Vec<bool> = (0..5).map(|_| live.choose(&hit).is_some()).collect();
        assert_eq!(got, [false, true, true, false, false]);
        assert_eq!(live.counts, [Count { seen: 5, applied: 2 }]);
    }

    #[test]
    fn dice_are_repeatable_and_fair() {
        let mut rule = Rule::new(Fault::HalfAnswer);
        rule.per_million = 250_000;
        let throw = |seed| {
            let mut live = Live::new(FaultPlan { seed, rules: vec![rule.clone()], settings: None });
            (0..4000).filter(|_| live.choose(&ask("/stamp/x", "")).is_some()).count()
        };
        assert_eq!(throw(7), throw(7));
        assert!((850..1150).contains(&throw(7)), "{}", throw(7));
        assert_ne!(throw(7), throw(8));
    }
}
