// The report of a training, as the daemon keeps it beside a concept.
import type { ResolvedParameter, Scores } from "../../api/schema";

/** What is shown of it; older reports may lack any part. */
export interface Report {
    plan: ResolvedParameter[];
    losses: number[];
    /** Steps with their held-out errors; step 0 is the base. */
    held_out: [number, number][];
    scores: Scores | null;
}

/** What a report holds; what is missing is empty. */
export function readReport(raw: unknown): Report {
    const { plan, losses, held_out, scores } = (raw ?? {}) as Partial<Report>;
    return {
        plan: Array.isArray(plan) ? plan : [],
        losses: Array.isArray(losses) ? losses.filter(Number.isFinite) : [],
        held_out: Array.isArray(held_out) ? held_out : [],
        scores: scores ?? null,
    };
}
