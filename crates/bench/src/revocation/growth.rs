//! The cost of many revocations for a verifier: the time of a verification, and of replacing the whole set.

use std::time::{Duration, Instant};

use auth::Revocation;
use bench::tokens::{list, set_of};
use bench::verification::{Verification, with_revocations};

use super::snapshot::Snapshot;
use super::{Options, SIZES};
use crate::cores::PinnedToCore;
use crate::report::{GrowthRow, Spread};
use crate::{Failure, cores, say};

const CACHED: Duration = Duration::from_millis(150);
/// More than one pass through all tokens.
const FIRST_SEEN: Duration = Duration::from_millis(700);

/// A set of one size, and its measurements.
struct Subject {
    list: Vec<Revocation>,
    cached: Verification,
    first_seen: Verification,
    cached_ns: Vec<f64>,
    first_seen_ns: Vec<f64>,
    replace_ms: Vec<f64>,
}

impl Subject {
    fn new(size: u32) -> Result<Self, Failure> {
        let list = list(usize::try_from(size)?);
        let [cached, first_seen] = with_revocations(&set_of(list.clone()))?;
        Ok(Self {
            list,
            cached,
            first_seen,
            cached_ns: Vec::new(),
            first_seen_ns: Vec::new(),
            replace_ms: Vec::new(),
        })
    }

    fn measure(&mut self) {
        self.cached_ns.push(self.cached.nanoseconds(CACHED));
        self.first_seen_ns.push(self.first_seen.nanoseconds(FIRST_SEEN));
        // A set that is not used for verifications: after a replacement, cached tokens are checked again.
        let (set, list) = (set_of(self.list.clone()), self.list.clone());
        let started = Instant::now();
        set.replace_all(list);
        self.replace_ms.push(started.elapsed().as_secs_f64() * 1_000.0);
    }
}

/// Measures each size in each round, and adds the measurements at a platform, if there are any.
pub(super) fn measure(options: &Options, snapshots: &[Snapshot]) -> Result<Vec<GrowthRow>, Failure> {
    say(&format!(
        "revocation: verifications with up to {} revocations",
        SIZES.last().unwrap_or(&0)
    ));
    let [core, _] = cores::pair()?;
    let _here = PinnedToCore::new(core)?;
    let mut subjects = SIZES
        .into_iter()
        .map(Subject::new)
        .collect::<Result<Vec<_>, _>>()?;
    for _ in 0..options.rounds {
        subjects.iter_mut().for_each(Subject::measure);
    }
    let none = subjects
        .first()
        .map(|subject| (subject.cached_ns.clone(), subject.first_seen_ns.clone()));
    let (cached_none, first_seen_none) = none.unwrap_or_default();
    let row = |(subject, size): (&Subject, u32)| GrowthRow {
        revocations: size,
        cached_ns: Spread::of(&subject.cached_ns),
        cached_to_none: Spread::of_ratios(&subject.cached_ns, &cached_none),
        first_seen_ns: Spread::of(&subject.first_seen_ns),
        first_seen_to_none: Spread::of_ratios(&subject.first_seen_ns, &first_seen_none),
        replace_ms: Spread::of(&subject.replace_ms),
        snapshot: snapshots
            .iter()
            .find(|snapshot| snapshot.revocations == size)
            .map(Snapshot::costs),
    };
    Ok(subjects.iter().zip(SIZES).map(row).collect())
}
