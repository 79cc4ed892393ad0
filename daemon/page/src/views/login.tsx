// Logging in: by a link of `conceptd open`, or by the token.
import { useEffect, useState } from "preact/hooks";
import { ask, GET, loggedIn, POST, Refused, Unreachable, wordsOf } from "../api/client";
import { Button } from "../parts/button";
import { Coded, Command } from "../parts/code";
import { TextField } from "../parts/field";
import { text } from "../text";
import "./login.css";

/** Uses the code of a link if the address has one, and finds out whether this browser is logged in. */
export async function enter(): Promise<void> {
    const code = new URLSearchParams(location.hash.slice(1)).get("login");
    if (code) {
        // A code counts once; it has no place in the history.
        history.replaceState(null, "", location.pathname);
        dispatchEvent(new HashChangeEvent("hashchange"));
        await ask(POST("/v1/session", { body: { secret: code } })).catch(() => undefined);
    }
    for (;;) {
        try {
            await ask(GET("/v1/session"));
            loggedIn.value = true;
            return;
        } catch (error) {
            if (!(error instanceof Unreachable)) {
                loggedIn.value = !(error instanceof Refused && error.problem.status === 401);
                return;
            }
            await new Promise((done) => setTimeout(done, 1000));
        }
    }
}

/** The form for who is not. */
export function Login() {
    const [token, setToken] = useState("");
    const [wrong, setWrong] = useState<string>();
    const [busy, setBusy] = useState(false);
    useEffect(() => {
        document.title = `${text.login.title} · ${text.app.name}`;
    }, []);
    const submit = async (event: Event) => {
        event.preventDefault();
        setBusy(true);
        setWrong(undefined);
        try {
            await ask(POST("/v1/session", { body: { secret: token.trim() } }));
            loggedIn.value = true;
        } catch (error) {
            // That nobody answers is said above.
            setWrong(error instanceof Unreachable ? undefined : error instanceof Refused && error.problem.status === 401 ? text.login.wrong : wordsOf(error));
        }
        setBusy(false);
    };
    return (
        <main class="login">
            <form class="card stack" onSubmit={(event) => void submit(event)}>
                <div class="login-name">
                    <img src="/page/icon.svg" alt="" width={44} height={44} />
                    {text.app.name}
                </div>
                <h1>{text.login.title}</h1>
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
