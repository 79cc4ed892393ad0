// Every training that conceptd knows, and those that still go on asked for again and again.
import { useRef } from "preact/hooks";
import { ask, GET } from "../../api/client";
import { isOver } from "../../api/jobs";
import type { JobView } from "../../api/schema";
import { type Asked, useAsked, useEvery } from "../../state/use";

const GOING_MS = 2000;
const RESTING_MS = 10_000;

/** A training as it stands. */
export const job = (id: string) => ask(GET("/v1/jobs/{id}", { params: { path: { id } } }));

/** All trainings, newest first. The first page is asked for each time; behind it only what is not over yet. */
export function useJobs(): Asked<JobView[]> {
    const known = useRef<JobView[]>([]);
    const jobs = useAsked(async () => {
        const before = new Map(known.current.map((job) => [job.id, job]));
        const fresh: JobView[] = [];
        let after: string | null | undefined;
        do {
            const page = await ask(GET("/v1/jobs", { params: { query: after ? { after, limit: 200 } : { limit: 50 } } }));
            fresh.push(...page.items);
            after = page.next;
        } while (after && !fresh.some(({ id }) => before.has(id)));
        fresh.forEach(({ id }) => before.delete(id));
        const older = await Promise.all([...before.values()].map((old) => (isOver(old.state) ? old : job(old.id))));
        known.current = [...fresh, ...older];
        return known.current;
    }, []);
    const going = jobs.data?.some(({ state }) => !isOver(state) && state !== "paused");
    useEvery(jobs.again, going ? GOING_MS : RESTING_MS);
    return jobs;
}
