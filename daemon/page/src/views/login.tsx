// Logging in: by a link of `conceptd open`, or by the token.
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { ask, GET, loggedIn, logIn, Refused, Unreachable, wordsOf } from "../api/client";
import { Button } from "../parts/button";
import { Coded, Command } from "../parts/code";
import { TextField } from "../parts/field";
import { Notice } from "../parts/notice";
import { useAction } from "../state/use";
import { text } from "../text";
import "./login.css";

/** Whether the link that led here counts no longer. */
const spent = signal(false);

// A link that is put into the address of a page that is open already loads nothing.
addEventListener("hashchange", () => {
    if (codeIn(location.hash)) {
        void enter();
    }
});

function codeIn(hash: string): string | null {
    return new URLSearchParams(hash.slice(1)).get("login");
}

function refusesLogin(error: unknown): boolean {
    return error instanceof Refused && error.problem.status === 401;
}

/** Uses the code of a link if the address has one, and finds out whether this browser is logged in. */
export async function enter(): Promise<void> {
    let code = codeIn(location.hash);
    if (code) {
        // A code counts once; it has no place in the history.
        history.replaceState(null, "", location.pathname);
        dispatchEvent(new HashChangeEvent("hashchange"));
    }
    for (;;) {
        try {
            if (code) {
                await logIn(code);
            }
            await ask(GET("/v1/session"));
            spent.value = false;
            loggedIn.value = true;
            return;
        } catch (error) {
            if (error instanceof Unreachable) {
                await new Promise((done) => setTimeout(done, 1000));
            } else if (code) {
                // Whoever used it before may be logged in.
                code = null;
                spent.value = true;
            } else {
                loggedIn.value = !refusesLogin(error);
                return;
            }
        }
    }
}

/** The form for who is not. */
export function Login() {
    const [token, setToken] = useState("");
    const { run, busy, error } = useAction(async () => {
        spent.value = false;
        await logIn(token.trim());
        loggedIn.value = true;
    });
    useEffect(() => {
        document.title = `${text.login.title} · ${text.app.name}`;
    }, []);
    // That nobody answers is said above.
    const wrong = refusesLogin(error) ? text.login.wrong : error && !(error instanceof Unreachable) ? wordsOf(error) : undefined;
    return (
        <main class="login">
            <form class="card stack" onSubmit={(event) => (event.preventDefault(), void run())}>
                <div class="login-name">
                    <img src="/page/icon.svg" alt="" width={44} height={44} />
                    {text.app.name}
                </div>
                <h1>{text.login.title}</h1>
                {spent.value && <Notice kind="warn">{text.login.spent}</Notice>}
                <p>{text.login.open}</p>
                <Command>conceptd open</Command>
                <div class="login-or">{text.login.or}</div>
                <TextField label={text.login.token} hint={<Coded>{text.login.hint}</Coded>} wrong={wrong} type="password" autocomplete="current-password" value={token} onInput={setToken} />
                <Button kind="main" type="submit" busy={busy} disabled={!token.trim()}>{text.login.enter}</Button>
                <p class="soft small">{text.login.about}</p>
            </form>
        </main>
    );
}
