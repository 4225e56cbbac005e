//! How long to wait before the next attempt: a pure function of the attempt number, so that it survives a restart.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;

/// Growth is followed for this many attempts; by then every sensible one has reached its maximum.
const MAX_STEPS: u32 = 1_000;

/// Exponential delays with jitter. The growth is computed by the `backoff` crate with its randomness switched off; the
/// jitter comes from a hash of document and attempt, so that it can be repeated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// The first delay.
    pub initial: Duration,
    /// How much longer each next one is; what is not above 1 means no growth.
    pub factor: f64,
    /// The longest; an `initial` above it counts as this.
    pub max: Duration,
    /// 0.5: between half and one and a half of the computed delay; never more than `max`. From 0 to 1.
    pub jitter: f64,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff { initial: Duration::from_secs(5), factor: 2.0, max: Duration::from_secs(15 * 60), jitter: 0.5 }
    }
}

impl Backoff {
    /// The delay after the `attempt`-th failure (from 1), for the document or account `who`. Never above `max`, never
    /// below `initial` less its jitter.
    pub fn delay(&self, attempt: u32, who: u64) -> Duration {
        let jitter = if self.jitter.is_nan() { 0.0 } else { self.jitter.clamp(0.0, 1.0) };
        // From 0 to 1, as even as 53 bits of a hash are.
        let chance = (hash(who, attempt) >> 11) as f64 / (1u64 << 53) as f64;
        let stretch = 1.0 - jitter + 2.0 * jitter * chance;
        let delay = self.growth(attempt).as_secs_f64() * stretch;
        Duration::try_from_secs_f64(delay).unwrap_or(self.max).min(self.max)
    }

    /// The delay before jitter.
    fn growth(&self, attempt: u32) -> Duration {
        let initial = self.initial.min(self.max);
        let mut steps = ExponentialBackoff {
            current_interval: initial,
            initial_interval: initial,
            randomization_factor: 0.0,
            multiplier: if self.factor > 1.0 { self.factor } else { 1.0 },
            max_interval: self.max,
            max_elapsed_time: None, // it would give up after 15 minutes; a fiscal document never does
            ..ExponentialBackoff::default()
        };
        for _ in 1..attempt.min(MAX_STEPS) {
            let before = steps.current_interval;
            // Only its growth is wanted: what it returns is rounded through a float once more.
            steps.next_backoff();
            if steps.current_interval <= before {
                break; // at the maximum, or no growth
            }
        }
        steps.current_interval.clamp(initial, self.max)
    }
}

/// Splitmix64 over both: the same on every machine and for ever.
fn hash(who: u64, attempt: u32) -> u64 {
    let mut z = who ^ u64::from(attempt).wrapping_mul(0xA24B_AED4_963E_E407);
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_maximum_and_stays_there() {
        let backoff = Backoff { jitter: 0.0, ..Backoff::default() };
        let seconds = |attempt| backoff.delay(attempt, 1).as_secs_f64();
        let expected = [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 900.0, 900.0];
        for (attempt, expected) in (1..).zip(expected) {
            assert_eq!(seconds(attempt), expected, "attempt {attempt}");
        }
        assert_eq!(seconds(0), 5.0);
        assert_eq!(seconds(u32::MAX), 900.0);
    }

    #[test]
    fn jitter_spreads_between_its_bounds_and_repeats() {
        let backoff = Backoff::default();
        let (mut least, mut most) = (f64::MAX, 0.0f64);
        for who in 0..10_000 {
            for attempt in [1, 3, 20] {
                let delay = backoff.delay(attempt, who);
                assert_eq!(delay, backoff.delay(attempt, who));
                assert!(delay <= backoff.max && delay >= Duration::from_millis(2_500), "{delay:?}");
            }
            let third = backoff.delay(3, who).as_secs_f64();
            (least, most) = (least.min(third), most.max(third));
        }
        assert!((10.0..10.1).contains(&least) && (29.9..=30.0).contains(&most), "{least} to {most}");
        assert_ne!(backoff.delay(3, 1), backoff.delay(3, 2), "two documents do not come back together");
        assert_ne!(backoff.delay(9, 1), backoff.delay(10, 1));
    }

    #[test]
    fn nonsense_settings_still_give_a_delay_within_bounds() {
        let second = Duration::from_secs(1);
        for factor in [f64::NAN, f64::INFINITY, -2.0, 0.0, 1.0, 1.000001, 1e300] {
            for jitter in [f64::NAN, -1.0, 0.0, 1.0, 9.0, f64::INFINITY] {
                for initial in [Duration::ZERO, second, Duration::MAX] {
                    for max in [Duration::ZERO, second, Duration::MAX] {
                        let backoff = Backoff { initial, factor, max, jitter };
                        for attempt in [0, 1, 2, 40, u32::MAX] {
                            assert!(backoff.delay(attempt, 7) <= max);
                        }
                    }
                }
            }
        }
    }
}
