// Settings: its pages by address, the theme, and logging out.
import type { ComponentType } from "preact";
import { ask, DELETE, loggedIn } from "../../api/client";
import { Button } from "../../parts/button";
import { Head } from "../../parts/head";
import { toastError } from "../../parts/notice";
import { ThemeSwitch } from "../../parts/theme";
import { to } from "../../router";
import { useAction } from "../../state/use";
import { text } from "../../text";
import { Captioners } from "./captioners";
import { Daemon } from "./daemon";
import { Doctor } from "./doctor";
import { Hosts } from "./hosts";
import { Models } from "./models";
import "./settings.css";
import { Watches } from "./watches";

const words = text.settings;

const pages: [keyof typeof words.pages, ComponentType][] = [
    ["hosts", Hosts],
    ["watches", Watches],
    ["models", Models],
    ["captioners", Captioners],
    ["daemon", Daemon],
    ["doctor", Doctor],
];

/** The page that the address names; without one, the first. */
export function Settings({ rest }: { rest: string[] }) {
    const here = rest[0] ?? "hosts";
    const Page = pages.find(([name]) => name === here)?.[1];
    return (
        <div class="settings">
            <Head title={words.title}>
                <ThemeSwitch />
                <LogOut />
            </Head>
            <nav class="settings-nav" aria-label={words.title}>
                {pages.map(([name]) => (
                    <a key={name} href={to(["settings", name])} aria-current={name === here ? "page" : undefined}>
                        {words.pages[name]}
                    </a>
                ))}
            </nav>
            {Page ? <Page /> : <p>{text.app.notFound}</p>}
        </div>
    );
}

function LogOut() {
    const { run, busy } = useAction(async () => {
        try {
            await ask(DELETE("/v1/session"));
            loggedIn.value = false;
        } catch (error) {
            toastError(error);
        }
    });
    return <Button busy={busy} onClick={() => void run()}>{words.logOut}</Button>;
}
