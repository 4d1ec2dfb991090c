//! A cache hit against a PostgreSQL point read of the same order, in one run: `cargo bench`.
#![expect(clippy::print_stdout, reason = "the comparison is the program's result")]
#![expect(clippy::print_stderr, reason = "what can't be measured is told in one sentence")]

use benches::one_order::CACHED;
use benches::one_order::OneOrder;
use benches::one_order::WAYS;
use benches::own_database::OwnDatabase;
use benches::rounds::Side;
use benches::rounds::interleaved;
use benches::rounds::timed;
use benches::server;
use criterion::Criterion;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

/// Ten times what is cached, so that the indexes of PostgreSQL have some depth.
const STORED: usize = 10 * CACHED;

const ROUNDS: usize = 11;

/// About a tenth of a second a round, for each side.
const HITS_PER_ROUND: u64 = 500_000;
const READS_PER_ROUND: u64 = 2_000;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let database = OwnDatabase::create(&server::url_or_restart_with_one()?)?;
    println!("{}; {STORED} orders, {CACHED} of them cached and read", database.describe()?);
    let mut one_order = OneOrder::new(&database, STORED, CACHED)?;
    measure(&mut one_order);
    let sides = [
        Side { name: "a cache hit", times: HITS_PER_ROUND, run: OneOrder::catalog_hits },
        Side { name: "a PostgreSQL read", times: READS_PER_ROUND, run: OneOrder::postgres_reads },
    ];
    let rounds = interleaved(ROUNDS, &mut one_order, sides);
    one_order.check_bodies();
    println!("{rounds}");
    Ok(())
}

fn measure(one_order: &mut OneOrder) {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let mut group = criterion.benchmark_group("read_one_order");
    for (name, read) in WAYS {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| timed(|| read(one_order, times)));
        });
    }
    group.finish();
    criterion.final_summary();
}
