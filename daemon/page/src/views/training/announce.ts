// Says that a training ended: on the page, in the tab's title, and as a notification where the user switched that on.
import { useEffect, useRef } from "preact/hooks";
import { isOver } from "../../api/jobs";
import type { JobState, JobView } from "../../api/schema";
import { fill } from "../../format";
import { toast } from "../../parts/notice";
import { go, route } from "../../router";
import { stored } from "../../state/stored";
import { text } from "../../text";

const words = text.running;

/** Whether the user wants notifications of this browser. */
export const notifying = stored("running.notify", false);

/** Browsers have them on secure pages alone, which this machine's own are. */
export const canNotify = "Notification" in window && window.isSecureContext;

/** Switches notifications; the browser is asked for its permission only here. */
export async function switchNotifying(): Promise<void> {
    if (notifying.value) {
        notifying.value = false;
        return;
    }
    notifying.value = (await Notification.requestPermission()) === "granted";
    toast(notifying.value ? words.notify.set : words.notify.denied, notifying.value ? undefined : "bad");
}

/** The end of a training in a sentence. */
export function ending(job: JobView): string {
    const sentence = job.state === "done" ? words.endsGood : job.state === "failed" ? words.endsBad : words.endsCancelled;
    return fill(sentence, { name: job.name });
}

/** Says it once when one of the trainings that were seen going on is over. */
export function useEndings(jobs: readonly JobView[] | undefined): void {
    const before = useRef(new Map<string, JobState>());
    useEffect(() => {
        for (const job of jobs ?? []) {
            const earlier = before.current.get(job.id);
            before.current.set(job.id, job.state);
            // Who cancelled it knows.
            if (earlier && !isOver(earlier) && (job.state === "done" || job.state === "failed")) {
                say(job);
            }
        }
    }, [jobs]);
}

/** What the tab was called before it said something. */
let calm: string | undefined;

function say(job: JobView): void {
    const sentence = ending(job);
    // A training's own view says it by itself.
    const told = route.value[0] === "training" && route.value[1] === job.id;
    if (!told) {
        toast(sentence, job.state === "failed" ? "bad" : undefined);
    }
    if (!told && document.hidden) {
        calm ??= document.title;
        document.title = `${job.state === "done" ? "✓" : "✗"} ${sentence} · ${text.app.name}`;
        document.addEventListener("visibilitychange", () => {
            document.title = calm ?? document.title;
            calm = undefined;
        }, { once: true });
    }
    if (notifying.value && canNotify && Notification.permission === "granted") {
        try {
            const shown = new Notification(sentence, { icon: "/page/icon.svg", tag: job.id });
            shown.onclick = () => {
                window.focus();
                go(["training", job.id]);
                shown.close();
            };
        } catch {
            // Some phones show notifications of service workers alone.
        }
    }
}
