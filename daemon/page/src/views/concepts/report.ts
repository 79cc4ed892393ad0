// The report of a training, as the daemon keeps it beside a concept.
import type { LossPoint, ResolvedParameter, Scores } from "../../api/schema";

/** What is shown of it; older reports may lack any part. */
export interface Report {
    plan: ResolvedParameter[];
    training: LossPoint[];
    /** Step 0 is the base. */
    heldOut: LossPoint[];
    scores: Scores | null;
}

/** What a report holds; what is missing is empty. */
export function readReport(raw: unknown): Report {
    const { plan, losses, held_out, scores } = (raw ?? {}) as { plan?: ResolvedParameter[]; losses?: number[]; held_out?: [number, number][]; scores?: Scores };
    return {
        plan: Array.isArray(plan) ? plan : [],
        training: Array.isArray(losses) ? losses.map((value, at) => ({ step: at + 1, value })) : [],
        heldOut: Array.isArray(held_out) ? held_out.map(([step, value]) => ({ step, value })) : [],
        scores: scores ?? null,
    };
}
