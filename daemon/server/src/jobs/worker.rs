//! One worker process as the daemon sees it: lines of JSON in and out, and ways to end it.

use crate::{Error, Result, store::WorkerIdentity};
use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop};
use protocol::{Command, Report, Task};
use serde::Serialize;
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{ChildStdin, ChildStdout},
    time::timeout,
};

/// A running worker. Dropped, it is killed.
pub struct Worker {
    child: Box<dyn ChildWrapper>,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
    log_start: u64,
    /// How it is recognised.
    pub identity: WorkerIdentity,
}

/// What came of waiting for a worker.
pub enum Heard {
    /// It said something.
    Report(Report),
    /// It is gone.
    Gone(Option<ExitStatus>),
    /// It said nothing for too long.
    Silent,
}

impl Worker {
    /// Starts a worker on a task. Its errors are added to the file `log`.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn start(program: &Path, task: &Task, log: &Path) -> Result<Self> {
        let identity = crate::id("worker")?;
        if let Some(folder) = log.parent() {
            std::fs::create_dir_all(folder).map_err(Error::disk(folder))?;
        }
        let file = File::options().create(true).append(true).open(log).map_err(Error::disk(log))?;
        let log_start = file.metadata().map_or(0, |metadata| metadata.len());
        let mut command = CommandWrap::with_new(program, |command| {
            command.args(["worker", "--identity", &identity]);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
        });
        command.wrap(KillOnDrop);
        // A daemon that dies takes its workers with it; elsewhere they end when their standard input does.
        #[cfg(windows)]
        command.wrap(process_wrap::tokio::JobObject);
        let failed = |error| Error::Worker(format!("cannot start a worker ({}): {error}", program.display()));
        let mut child = command.spawn().map_err(failed)?;
        let pid = child.id().unwrap_or_default();
        let stdout = child.stdout().take().ok_or_else(|| Error::bug("a worker without output"))?;
        let stdin = child.stdin().take();
        let lines = BufReader::new(stdout).lines();
        let log = log.to_owned();
        let mut worker = Self { child, stdin, lines, log, log_start, identity: WorkerIdentity { pid, identity } };
        worker.write(task).await?;
        Ok(worker)
    }

    /// Tells it something. A worker that is gone hears nothing; that shows elsewhere.
    ///
    /// # Errors
    /// If the message cannot be written as JSON.
    pub async fn tell(&mut self, command: &Command) -> Result<()> {
        self.write(command).await
    }

    async fn write(&mut self, message: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_vec(message).map_err(Error::bug)?;
        line.push(b'\n');
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(&line).await;
            let _ = stdin.flush().await;
        }
        Ok(())
    }

    /// Waits for its next word. Lines that are no reports are left to the log.
    pub async fn hear(&mut self, patience: Duration) -> Heard {
        loop {
            match timeout(patience, self.lines.next_line()).await {
                Err(_) => return Heard::Silent,
                Ok(Ok(Some(line))) => {
                    if let Ok(report) = serde_json::from_str(&line) {
                        return Heard::Report(report);
                    }
                }
                Ok(Ok(None) | Err(_)) => return Heard::Gone(self.child.wait().await.ok()),
            }
        }
    }

    /// Ends it at once.
    pub async fn kill(&mut self) {
        let _ = self.child.start_kill();
        let _ = self.child.wait().await;
    }

    /// Whether it still runs.
    pub fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The end of what it wrote to its log.
    pub fn last_words(&self) -> String {
        const MOST: u64 = 2000;
        let read = || -> std::io::Result<String> {
            let mut file = File::open(&self.log)?;
            let end = file.seek(SeekFrom::End(0))?;
            file.seek(SeekFrom::Start(self.log_start.max(end.saturating_sub(MOST))))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
        };
        read().unwrap_or_default()
    }
}

/// Whether a worker that died died of too little memory: the allocator said so, or the system killed it unasked.
pub fn died_of_memory(status: Option<ExitStatus>, last_words: &str) -> bool {
    let said = last_words.contains("memory allocation of") || last_words.contains("out of memory");
    #[cfg(unix)]
    {
        const KILLED: i32 = 9;
        let signal = status.and_then(|status| std::os::unix::process::ExitStatusExt::signal(&status));
        said || signal == Some(KILLED)
    }
    #[cfg(not(unix))]
    {
        let _ = status;
        said
    }
}
