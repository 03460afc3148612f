//! What it costs to verify a token, as Criterion measures it: `cargo bench -p bench`. The program `bench` measures the same, but
//! lets the ways take turns.

use bench::{Failure, verification};
use criterion::Criterion;

fn main() -> Result<(), Failure> {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("verify");
    for mut way in verification::all()?.into_iter().flatten() {
        group.bench_function(way.name(), |bencher| bencher.iter_custom(|count| way.time(count)));
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}
