//! [`Parts`]: creates the parts of an engine and connects them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::ablation::Ablation;
use crate::commit::base::BaseWriter;
use crate::commit::committer::Committer;
use crate::commit::publisher::Publisher;
use crate::commit::queue::WriteQueue;
use crate::commit::staging::{NewStaging, Stager};
use crate::commit::usage::FrozenUsage;
use crate::commit::writer::{Writer, WriterParts};
use crate::copy::backend::CopyBackend;
use crate::copy::known_head::KnownHead;
use crate::copy::replica::Replica;
use crate::engine::options::Options;
use crate::limits::Tuning;
use crate::maintenance::compaction::Compactor;
use crate::maintenance::garbage::GarbageCollector;
use crate::maintenance::restore::Restorer;
use crate::maintenance::usage::UsageMerger;
use crate::store::Bucket;
use crate::sync::assembly::Assembler;
use crate::sync::reads::FreshReads;
use crate::sync::synchronizer::Synchronizer;
use crate::tasks::Tasks;

/// The parts that fetch and read the database.
pub(super) struct ReadParts {
    bucket: Arc<Bucket>,
    replica: Arc<Replica>,
    assembler: Arc<Assembler>,
    pub(super) sync: Arc<Synchronizer>,
}

impl ReadParts {
    pub(super) fn new(
        bucket: Arc<Bucket>,
        backend: Box<dyn CopyBackend>,
        head: Arc<KnownHead>,
        options: &Options,
        tasks: Tasks,
        tuning: Tuning,
    ) -> Self {
        let clock = Arc::clone(&options.clock);
        let replica = Arc::new(Replica::new(backend, head, clock, options.read_timeout_ms));
        let assembler = Arc::new(Assembler::new(
            Arc::clone(&bucket),
            Arc::clone(&replica),
            tasks.clone(),
            tuning.chunk_bytes,
        ));
        let sync = Arc::new(Synchronizer::new(
            Arc::clone(&bucket),
            Arc::clone(&replica),
            Arc::clone(&assembler),
            tasks,
            options.migrations.last().map_or(0, |last| last.version),
        ));
        Self {
            bucket,
            replica,
            assembler,
            sync,
        }
    }
}

/// The parts that the methods of an engine use.
pub(super) struct Parts {
    pub(super) bucket: Arc<Bucket>,
    pub(super) reads: Arc<FreshReads>,
    pub(super) sync: Arc<Synchronizer>,
    pub(super) frozen_usage: Arc<FrozenUsage>,
    pub(super) usage: UsageMerger,
    pub(super) compactor: Arc<Compactor>,
    pub(super) garbage: GarbageCollector,
    pub(super) restorer: Restorer,
    /// Declared last, so that the other parts have closed their files before the folder of the copy is removed.
    pub(super) replica: Arc<Replica>,
}

impl Parts {
    /// Creates the parts, the write queue, and the future of the writer, which the caller has to spawn.
    pub(super) fn new(
        reading: ReadParts,
        options: Options,
        new_staging: NewStaging,
        tasks: Tasks,
        tuning: Tuning,
    ) -> (Self, WriteQueue, impl Future<Output = ()> + Send + 'static) {
        let ablation = options.ablation;
        let publisher = Arc::new(Publisher::new(Arc::clone(&reading.bucket)));
        let bases = Arc::new(BaseWriter {
            bucket: Arc::clone(&reading.bucket),
            replica: Arc::clone(&reading.replica),
            publisher: Arc::clone(&publisher),
            tasks: tasks.clone(),
            chunk_bytes: tuning.chunk_bytes,
            ablation,
        });
        let compactor = Arc::new(Compactor {
            bucket: Arc::clone(&reading.bucket),
            replica: Arc::clone(&reading.replica),
            sync: Arc::clone(&reading.sync),
            publisher: Arc::clone(&publisher),
            bases: Arc::clone(&bases),
            tasks: tasks.clone(),
            tuning,
            compacting: Arc::default(),
            runs_after_commits: AtomicBool::new(false),
            ablation,
        });
        let frozen_usage = Arc::new(FrozenUsage::new(Arc::clone(&options.clock)));
        let (queue, batches) = WriteQueue::new(Arc::clone(&options.clock), options.write_deadline_ms);
        let writer = Writer::new(WriterParts {
            bucket: Arc::clone(&reading.bucket),
            replica: Arc::clone(&reading.replica),
            sync: Arc::clone(&reading.sync),
            publisher: Arc::clone(&publisher),
            stager: Arc::new(Stager {
                replica: Arc::clone(&reading.replica),
                usage: Arc::clone(&frozen_usage),
                apply_usage: options.apply_usage,
                tuning,
                ablation,
            }),
            committer: Arc::new(Committer {
                bucket: Arc::clone(&reading.bucket),
                replica: Arc::clone(&reading.replica),
                publisher: Arc::clone(&publisher),
                bases: Arc::clone(&bases),
                tasks: tasks.clone(),
                tuning,
                on_change: options.on_change,
                compacting: Arc::clone(&compactor.compacting),
                ablation,
                writer_id: reading.bucket.fresh_name(),
            }),
            tasks: tasks.clone(),
            ablation,
            new_staging,
            after_commit: {
                let compactor = Arc::clone(&compactor);
                move |committed: &Arc<KnownHead>| compactor.start_after_commit(committed)
            },
        });
        let maintenance = MaintenanceParts {
            publisher,
            bases,
            compactor,
            frozen_usage,
            queue: queue.clone(),
            tasks,
            ablation,
        };
        (maintenance.connect(reading), queue, writer.run(batches))
    }
}

/// The parts that background jobs and restores use.
struct MaintenanceParts {
    publisher: Arc<Publisher>,
    bases: Arc<BaseWriter>,
    compactor: Arc<Compactor>,
    frozen_usage: Arc<FrozenUsage>,
    queue: WriteQueue,
    tasks: Tasks,
    ablation: Option<Ablation>,
}

impl MaintenanceParts {
    fn connect(self, reading: ReadParts) -> Parts {
        let ReadParts {
            bucket,
            replica,
            assembler,
            sync,
        } = reading;
        let reads = Arc::new(FreshReads::new(Arc::clone(&replica), Arc::clone(&sync)));
        Parts {
            usage: UsageMerger {
                bucket: Arc::clone(&bucket),
                sync: Arc::clone(&sync),
                reads: Arc::clone(&reads),
                queue: self.queue,
                frozen: Arc::clone(&self.frozen_usage),
            },
            garbage: GarbageCollector {
                bucket: Arc::clone(&bucket),
                replica: Arc::clone(&replica),
                sync: Arc::clone(&sync),
                publisher: Arc::clone(&self.publisher),
                bases: Arc::clone(&self.bases),
                ablation: self.ablation,
            },
            restorer: Restorer {
                bucket: Arc::clone(&bucket),
                replica: Arc::clone(&replica),
                sync: Arc::clone(&sync),
                assembler,
                publisher: self.publisher,
                bases: self.bases,
                tasks: self.tasks,
            },
            bucket,
            reads,
            sync,
            frozen_usage: self.frozen_usage,
            compactor: self.compactor,
            replica,
        }
    }
}
