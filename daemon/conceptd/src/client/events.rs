//! The events of a job as they come, over connections that may break.

use super::{ClientError, Daemon, segment};
use crate::interrupt;
use protocol::{EventRecord, JobView};
use std::{
    io::{BufRead, BufReader, Read},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};

/// Time between two looks at whether the user wants to stop, and before a broken connection is made anew.
const GLANCE: Duration = Duration::from_millis(200);

/// How following a job ends.
pub enum Followed {
    /// Nothing will happen to it any more.
    Over(Box<JobView>),
    /// The user does not want to see more; the job goes on.
    Left,
}

/// Tells every event of a job until it is over. `last` is the id of the last event that is known.
///
/// # Errors
/// If the daemon is gone, or there is no such job.
pub fn follow(
    daemon: &Daemon,
    job: &str,
    mut last: i64,
    mut see: impl FnMut(&EventRecord),
) -> Result<Followed, ClientError> {
    loop {
        if let Some(stream) = daemon.events(job, last)? {
            let records = read_apart(stream);
            loop {
                match records.recv_timeout(GLANCE) {
                    Ok(record) => {
                        last = record.id;
                        see(&record);
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                if interrupt::asked() {
                    return Ok(Followed::Left);
                }
            }
        }
        let view: JobView = daemon.get(&format!("/v1/jobs/{}", segment(job)))?;
        if view.state.is_final() {
            return Ok(Followed::Over(Box::new(view)));
        }
        thread::park_timeout(GLANCE);
    }
}

/// Reads a stream on a thread of its own: waiting for it must not keep Ctrl-C from being seen.
fn read_apart(stream: impl Read + Send + 'static) -> Receiver<EventRecord> {
    let (tell, records) = channel();
    thread::spawn(move || {
        for record in Records(BufReader::new(stream)) {
            if tell.send(record).is_err() {
                return;
            }
        }
    });
    records
}

/// The records of a stream of server-sent events. Comments and what is no record are passed over.
struct Records<R>(R);

impl<R: BufRead> Iterator for Records<R> {
    type Item = EventRecord;

    fn next(&mut self) -> Option<EventRecord> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let Some(data) = line.strip_prefix("data:") else { continue };
            if let Ok(record) = serde_json::from_str(data.trim()) {
                return Some(record);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Event;

    #[test]
    fn records_are_read_between_signs_of_life() {
        let stream = ": still here\n\nid: 3\ndata: {\"id\":3,\"at_ms\":5,\"event\":\"note\",\"text\":\"a\"}\n\n\
                      id: 4\ndata: {\"id\":4,\"at_ms\":6,\"event\":\"unheard_of\"}\n\n\
                      id: 5\ndata: {\"id\":5,\"at_ms\":7,\"event\":\"saved\",\"step\":2}\n\nid: 6\nda";
        let records: Vec<EventRecord> = Records(stream.as_bytes()).collect();
        assert_eq!(records.iter().map(|record| record.id).collect::<Vec<_>>(), [3, 5]);
        assert_eq!(records[0].event, Event::Note { text: "a".into() });
    }
}
