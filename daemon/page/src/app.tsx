// The frame around every view: who is logged in, where to go, what is said.
import { useEffect, useRef } from "preact/hooks";
import { ask, GET, loggedIn, reachable } from "./api/client";
import { isOver } from "./api/jobs";
import { Head } from "./parts/head";
import { Icon, type IconName } from "./parts/icon";
import { Loading, Toasts } from "./parts/notice";
import { ThemeSwitch } from "./parts/theme";
import { route, to } from "./router";
import { useTheme } from "./state/theme";
import { useAsked, useEvery } from "./state/use";
import { text } from "./text";
import { Concepts } from "./views/concepts";
import { Create } from "./views/create";
import { enter, Login } from "./views/login";
import { NewConcept } from "./views/new";
import { Settings } from "./views/settings";
import { Training } from "./views/training";
import { useEndings } from "./views/training/announce";

/** The page. */
export function App() {
    useTheme();
    useEffect(() => void enter(), []);
    return (
        <>
            {!reachable.value && <div class="away" role="alert">{text.app.away}</div>}
            {loggedIn.value === null ? <Loading /> : loggedIn.value ? <Frame /> : <Login />}
            <Toasts />
        </>
    );
}

const links: [string, string, IconName][] = [
    ["new", text.app.new, "add"],
    ["training", text.app.training, "run"],
    ["concepts", text.app.concepts, "grid"],
    ["create", text.app.create, "brush"],
    ["settings", text.app.settings, "gear"],
];

const JOBS_MS = 5000;
/** A hidden tab looks now and then, so that it can say that a training is over. */
const HIDDEN_MS = 15_000;

function Frame() {
    const main = useRef<HTMLElement>(null);
    const [here = "new", ...rest] = route.value;
    const { data: version } = useAsked(() => ask(GET("/v1/version")), []);
    const { data: jobs, again } = useAsked(() => ask(GET("/v1/jobs", { params: { query: { limit: 50 } } })), []);
    const going = jobs?.items.filter(({ state }) => !isOver(state) && state !== "paused").length ?? 0;
    useEvery(again, JOBS_MS, going ? HIDDEN_MS : undefined);
    useEndings(jobs?.items);
    // What Create shows of a picture lies above the others.
    const place = here === "create" ? here : `${here}/${rest[0] ?? ""}`;
    const shown = useRef(place);
    useEffect(() => {
        if (shown.current !== place) {
            const another = shown.current.split("/")[0] !== here;
            shown.current = place;
            // Who reads with a screen reader or the keyboard begins at the top of the new view.
            if (another || document.activeElement === document.body) {
                main.current?.focus({ preventScroll: true });
            }
            scrollTo(0, 0);
            void again();
        }
    }, [place]);
    return (
        <div class="frame">
            <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), main.current?.focus())}>{text.app.skip}</a>
            <nav class="frame-side" aria-label={text.app.name}>
                <a class="frame-name" href={to(["new"])}>
                    <img src="/page/icon.svg" alt="" />
                    {text.app.name}
                </a>
                {links.map(([name, words, icon]) => (
                    <a key={name} class="frame-link" href={to([name])} aria-current={name === here ? "page" : undefined}>
                        <Icon name={icon} size={20} />
                        <span>{words}</span>
                        {name === "training" && going > 0 && <span class="badge accent">{going}</span>}
                    </a>
                ))}
                <div class="frame-foot">
                    <ThemeSwitch little />
                    {version && <span>{version.version} · {version.device}</span>}
                </div>
            </nav>
            <main class="frame-main" id="main" ref={main} tabIndex={-1}>
                <View here={here} rest={rest} />
            </main>
        </div>
    );
}

function View({ here, rest }: { here: string; rest: string[] }) {
    switch (here) {
        case "new":
            return <NewConcept rest={rest} />;
        case "training":
            return <Training rest={rest} />;
        case "concepts":
            return <Concepts rest={rest} />;
        case "create":
            return <Create rest={rest} />;
        case "settings":
            return <Settings rest={rest} />;
        default:
            return <Head title={text.app.notFound} />;
    }
}
