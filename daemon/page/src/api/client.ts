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

/** Whether what was asked for is not there, or not any more. */
export function isGone(error: unknown): boolean {
    return error instanceof Refused && error.problem.status === 404;
}

/** The daemon did not answer. */
export class Unreachable extends Error {}

const client = createClient<paths>({ baseUrl: "", credentials: "same-origin" });

/** Where the key of the login is kept; what is kept so belongs to this page's port alone, which a cookie does not. */
const KEY = "conceptd.key";
let key: string | null = null;

/** What shows that a request comes from this page; elements that load pictures cannot send it, and need not. */
export function shownKey(): [string, string] {
    // Another tab may have logged in anew.
    return ["X-Conceptd-Key", read() ?? key ?? ""];
}

function read(): string | null {
    try {
        return localStorage.getItem(KEY);
    } catch {
        return null;
    }
}

/** Logs this browser in by the code of a link, or by the token. */
export async function logIn(secret: string): Promise<void> {
    key = (await ask(POST("/v1/session", { body: { secret } }))).key;
    try {
        localStorage.setItem(KEY, key);
    } catch {
        // It then lasts as long as this tab.
    }
}

client.use({
    onRequest({ request }) {
        request.headers.set(...shownKey());
        return request;
    },
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

/** A key under which what is sent twice happens once; `crypto.randomUUID` is there on this machine's own pages alone. */
export function newKey(): string {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

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
