// Asking the daemon. The types are made from its OpenAPI document (`npm run client`).
import createClient from "openapi-fetch";
import { signal } from "@preact/signals";
import type { paths, Problem } from "./schema";

/** Whether this browser is logged in; null until that is known. */
export const loggedIn = signal<boolean | null>(null);

/** Whether the daemon answered the last request. */
export const reachable = signal(true);

/** What the daemon refused, with its own words and the field that it means. */
export class Refused extends Error {
    constructor(readonly problem: Problem) {
        super(problem.detail);
    }
}

/** The daemon did not answer. */
export class Unreachable extends Error {}

const client = createClient<paths>({ baseUrl: "", credentials: "same-origin" });

client.use({
    onResponse({ response }) {
        answered(response.status);
    },
    onError() {
        reachable.value = false;
        return new Unreachable();
    },
});

/** Keeps in mind what an answer says about the daemon and the session. */
export function answered(status: number): void {
    reachable.value = true;
    if (status === 401) {
        loggedIn.value = false;
    }
}

/** `GET`, `POST`, `PUT`, `PATCH` and `DELETE` by the paths of the API. */
export const { GET, POST, PUT, PATCH, DELETE } = client;

/** What an answer holds; throws {@link Refused} or {@link Unreachable}. */
export async function ask<T>(answer: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
    const { data, error, response } = await answer;
    if (!response.ok) {
        throw new Refused(asProblem(error, response));
    }
    return data as T;
}

/** The problem of an answer that is none of the daemon's own. */
export function asProblem(body: unknown, { status, statusText }: { status: number; statusText: string }): Problem {
    if (typeof body === "object" && body !== null && "detail" in body) {
        return body as Problem;
    }
    return { type: "", title: statusText, status, detail: `${status} ${statusText}`, code: "internal" };
}

/** The words for whatever was thrown. */
export function wordsOf(error: unknown): string {
    return error instanceof Error && error.message ? error.message : String(error);
}
