//! How a run tells what it does, and how it is told what to do.

use protocol::Event;

/// Whoever watches a run.
pub trait Observer {
    /// Sees an event.
    fn see(&mut self, event: &Event);

    /// Whether the run should stop at the next step.
    fn stop(&self) -> bool;

    /// Whether sample pictures were asked for since the last call.
    fn sample(&mut self) -> bool {
        false
    }
}
