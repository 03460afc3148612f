//! Which core a program runs on, so that what is measured and what loads it don't share one. Linux only: elsewhere they may.

#[cfg(target_os = "linux")]
use rustix::thread::CpuSet;

use crate::Failure;

/// The core for what is measured, and the one for its load. Where this program may use one only, they are the same.
#[cfg(target_os = "linux")]
pub(crate) fn two() -> Result<[usize; 2], Failure> {
    let allowed = rustix::thread::sched_getaffinity(None)?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    let first = cores.next().ok_or("no core to run on")?;
    Ok([first, cores.next().unwrap_or(first)])
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn two() -> Result<[usize; 2], Failure> {
    Ok([0, 1])
}

/// While this is held, this thread is on one core, and so is all that it starts.
#[derive(Debug)]
#[must_use]
pub(crate) struct OnCore {
    #[cfg(target_os = "linux")]
    before: CpuSet,
}

#[cfg(target_os = "linux")]
impl OnCore {
    pub(crate) fn new(core: usize) -> Result<Self, Failure> {
        let before = rustix::thread::sched_getaffinity(None)?;
        let mut only = CpuSet::new();
        only.set(core);
        rustix::thread::sched_setaffinity(None, &only)?;
        Ok(Self { before })
    }
}

#[cfg(target_os = "linux")]
impl Drop for OnCore {
    fn drop(&mut self) {
        // It was allowed before.
        let _ = rustix::thread::sched_setaffinity(None, &self.before);
    }
}

#[cfg(not(target_os = "linux"))]
impl OnCore {
    pub(crate) fn new(_: usize) -> Result<Self, Failure> {
        Ok(Self {})
    }
}
