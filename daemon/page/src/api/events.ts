// What happens in a job, as the daemon tells it.
import { isOver } from "./jobs";
import type { EventRecord } from "./schema";

/**
 * Hears every event of a job from its first on, a few at a time, and also when the daemon was away; returns what ends that.
 * A hidden tab hears nothing, since a browser has six connections to one server; it catches up when it is shown.
 */
export function follow(job: string, see: (events: EventRecord[]) => void): () => void {
    let source: EventSource | undefined;
    let last = 0;
    let over = false;
    let heard: EventRecord[] = [];
    let retry: ReturnType<typeof setTimeout> | undefined;
    let telling: ReturnType<typeof setTimeout> | undefined;

    const close = () => {
        clearTimeout(retry);
        source?.close();
        source = undefined;
    };
    const tell = () => {
        telling = undefined;
        const events = heard;
        heard = [];
        see(events);
    };
    const hear = (message: MessageEvent<string>) => {
        // A tab that is shown again is told everything again.
        if (Number(message.lastEventId) <= last) {
            return;
        }
        const event = JSON.parse(message.data) as EventRecord;
        last = event.id;
        heard.push(event);
        telling ??= setTimeout(tell, TOGETHER_MS);
        if (event.event === "failed" || (event.event === "state" && isOver(event.state))) {
            over = true;
            close();
        }
    };
    const open = () => {
        if (source || over || document.hidden) {
            return;
        }
        source = new EventSource(`/v1/jobs/${encodeURIComponent(job)}/events`);
        source.onmessage = hear;
        source.onerror = () => {
            // The browser tries again by itself, but not after an answer such as 401.
            if (source?.readyState === EventSource.CLOSED) {
                close();
                retry = setTimeout(open, RETRY_MS);
            }
        };
    };
    const shown = () => (document.hidden ? close() : open());
    document.addEventListener("visibilitychange", shown);
    open();
    return () => {
        document.removeEventListener("visibilitychange", shown);
        clearTimeout(telling);
        close();
    };
}

const RETRY_MS = 3000;
const TOGETHER_MS = 200;
