//! Which positions are in the history of the database.
//!
//! Sequence numbers are comparable only within one history: a restored database assigns numbers a second time. So each history
//! begins with a new generation, and the list of generations shows where the histories part. Kafka's leader epochs work alike.

use crate::store::GenerationRow;

/// Whether the rows of this generation up to `seq` are those of the database. Then a reader at that position can resume.
pub(super) fn contains(generation: &GenerationRow, seq: i64) -> bool {
    match generation.next_first_seq {
        Some(next_first_seq) => seq < next_first_seq,
        None => seq <= generation.counter,
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    /// A database: its rows, each with different content, and its generations.
    #[derive(Clone, Default)]
    struct Database {
        rows: Vec<u32>,
        /// Ids and first sequence numbers, oldest first.
        generations: Vec<(Uuid, i64)>,
    }

    impl Database {
        fn counter(&self) -> i64 {
            self.rows.len().try_into().unwrap()
        }

        fn find(&self, id: Uuid) -> Option<GenerationRow> {
            let index = self.generations.iter().position(|(known, _)| *known == id)?;
            Some(GenerationRow {
                counter: self.counter(),
                next_first_seq: self.generations[index + 1..]
                    .iter()
                    .map(|(_, first)| *first)
                    .min(),
                newest: self.generations.last()?.0,
            })
        }
    }

    /// A process of the service, as `publisher` and `Feed::store` act.
    #[derive(Default)]
    struct Process {
        /// Its generation, and the rows that it has read.
        position: Option<(Uuid, Vec<u32>)>,
        highest: i64,
        is_interrupted: bool,
    }

    /// A reader: the generation and the rows that it has.
    #[derive(Default)]
    struct Reader(Option<(Uuid, Vec<u32>)>);

    #[derive(Default)]
    struct World {
        database: Database,
        backups: Vec<Database>,
        processes: Vec<Process>,
        readers: Vec<Reader>,
        ids: u128,
        content: u32,
    }

    impl World {
        fn new(processes: usize) -> Self {
            let mut world = Self::default();
            world.readers.resize_with(4, Reader::default);
            world.processes.resize_with(processes, Process::default);
            for process in 0..processes {
                world.load(process);
            }
            world
        }

        /// `has_newest_row` of the publisher. Here no row expires.
        fn has_newest_row(&self, process: usize) -> bool {
            let Some((_, rows)) = &self.processes[process].position else {
                return true;
            };
            let newest = rows.iter().enumerate().next_back();
            newest.is_none_or(|(index, row)| self.database.rows.get(index) == Some(row))
        }

        fn restart(&mut self, process: usize) {
            self.processes[process] = Process::default();
            self.load(process);
        }

        fn start_generation(&mut self, first_seq: i64) -> Uuid {
            self.ids += 1;
            let id = Uuid::from_u128(self.ids);
            self.database.generations.push((id, first_seq));
            id
        }

        fn load(&mut self, process: usize) {
            let first_seq = if self.has_newest_row(process) {
                self.database.counter() + 1
            } else {
                1
            };
            let generation = self.start_generation(first_seq);
            self.processes[process] = Process {
                position: Some((generation, self.database.rows.clone())),
                highest: self.database.counter(),
                is_interrupted: false,
            };
        }

        fn append(&mut self, process: usize) {
            let seq = self.database.counter() + 1;
            let Process {
                position,
                highest,
                is_interrupted,
            } = &self.processes[process];
            let is_known = self.database.find(position.as_ref().unwrap().0).is_some();
            if *is_interrupted || !is_known || seq <= *highest {
                self.start_generation(seq);
            }
            self.content += 1;
            self.database.rows.push(self.content);
            let highest = &mut self.processes[process].highest;
            *highest = seq.max(*highest);
        }

        fn poll(&mut self, process: usize) {
            let Process {
                position,
                highest,
                is_interrupted,
            } = &self.processes[process];
            let (generation, rows) = position.as_ref().unwrap();
            let seq = rows.len().try_into().unwrap();
            let found = self.database.find(*generation);
            let found = found.filter(|found| {
                self.has_newest_row(process) && found.counter >= *highest && contains(found, seq)
            });
            match found {
                Some(found) if !is_interrupted => {
                    assert_eq!(
                        rows[..],
                        self.database.rows[..rows.len()],
                        "the publisher missed a restore"
                    );
                    let process = &mut self.processes[process];
                    process.highest = self.database.counter();
                    process.position = Some((found.newest, self.database.rows.clone()));
                }
                _ => self.load(process),
            }
        }

        /// The reader connects. Returns whether it could resume.
        fn connect(&mut self, reader: usize, process: usize) -> bool {
            self.poll(process);
            let position = self.readers[reader].0.take();
            let resumes = position.as_ref().is_some_and(|(generation, rows)| {
                let seq = rows.len().try_into().unwrap();
                let found = self.database.find(*generation);
                found.is_some_and(|found| contains(&found, seq))
            });
            if let Some((_, rows)) = position.filter(|_| resumes) {
                assert_eq!(
                    rows[..],
                    self.database.rows[..rows.len()],
                    "the reader missed a restore"
                );
            }
            self.readers[reader]
                .0
                .clone_from(&self.processes[process].position);
            resumes
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Append(usize),
        Poll(usize),
        Restart(usize),
        Connect {
            reader: usize,
            process: usize,
        },
        Backup,
        /// Restores a backup. Processes that run meanwhile can't read the database.
        Restore(usize),
        /// Restores a backup so fast that no read of a process fails.
        RestoreUnnoticed(usize),
    }

    fn steps(processes: usize) -> impl Strategy<Value = Vec<Step>> {
        let process = 0..processes;
        let step = prop_oneof![
            6 => process.clone().prop_map(Step::Append),
            4 => process.clone().prop_map(Step::Poll),
            1 => process.clone().prop_map(Step::Restart),
            6 => (0..4_usize, process).prop_map(|(reader, process)| Step::Connect { reader, process }),
            1 => Just(Step::Backup),
            1 => (0..9_usize).prop_map(Step::Restore),
            1 => (0..9_usize).prop_map(Step::RestoreUnnoticed),
        ];
        vec(step, 1..80)
    }

    fn run(world: &mut World, steps: Vec<Step>) {
        let may_restore_unnoticed = world.processes.len() == 1;
        run_with(world, steps, may_restore_unnoticed);
    }

    fn run_with(world: &mut World, steps: Vec<Step>, may_restore_unnoticed: bool) {
        for step in steps {
            match step {
                Step::Append(process) => world.append(process),
                Step::Poll(process) => world.poll(process),
                Step::Restart(process) => world.restart(process),
                Step::Connect { reader, process } => {
                    world.connect(reader, process);
                }
                Step::Backup => world.backups.push(world.database.clone()),
                Step::Restore(backup) | Step::RestoreUnnoticed(backup) => {
                    let Some(backup) = world.backups.get(backup) else {
                        continue;
                    };
                    world.database = backup.clone();
                    let is_noticed = matches!(step, Step::Restore(_)) || !may_restore_unnoticed;
                    for process in &mut world.processes {
                        process.is_interrupted |= is_noticed;
                    }
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn a_reader_that_resumes_has_missed_no_row_of_the_history(steps in steps(1)) {
            run(&mut World::new(1), steps);
        }

        #[test]
        fn a_reader_that_resumes_at_another_replica_has_missed_no_row_of_the_history(steps in steps(3)) {
            run(&mut World::new(3), steps);
        }

        /// A process that has read the lost rows notices. Without a restart there is always one.
        #[test]
        fn a_restore_that_no_replica_noticed_is_known_as_soon_as_all_have_read(steps in steps(3)) {
            let mut world = World::new(3);
            for step in steps.into_iter().filter(|step| !matches!(step, Step::Restart(_))) {
                if matches!(step, Step::Connect { .. }) {
                    for process in [0, 1, 2, 0, 1, 2] {
                        world.poll(process);
                    }
                }
                run_with(&mut world, vec![step], true);
            }
        }

        #[test]
        fn a_reader_can_always_resume_while_nothing_is_restored(steps in steps(3)) {
            let mut world = World::new(3);
            let steps = steps.into_iter().filter(|step| !matches!(step, Step::Restore(_) | Step::RestoreUnnoticed(_)));
            for step in steps {
                let had_position = world.readers.iter().map(|reader| reader.0.is_some()).collect::<Vec<_>>();
                match step {
                    Step::Connect { reader, process } => {
                        let resumes = world.connect(reader, process);
                        prop_assert_eq!(resumes, had_position[reader]);
                    }
                    step => run(&mut world, vec![step]),
                }
            }
        }
    }
}
