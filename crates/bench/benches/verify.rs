//! Measures token verification with Criterion: `cargo bench -p bench`. The program `bench` measures the same in alternating rounds.

use bench::{Failure, verification};
use criterion::Criterion;

fn main() -> Result<(), Failure> {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("verify");
    for mut verification in verification::all()?.into_iter().flatten() {
        group.bench_function(verification.name(), |bencher| {
            bencher.iter_custom(|count| verification.time(count));
        });
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}
