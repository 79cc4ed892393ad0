// What is wrong with this machine and how to mend it; which conceptd this is.
import { ask, GET } from "../../api/client";
import type { Check, DoctorView, Limits, Verdict, VersionView } from "../../api/schema";
import { bytes, count, fill, number } from "../../format";
import { Button, Copy } from "../../parts/button";
import { Coded, Command } from "../../parts/code";
import { Icon, type IconName } from "../../parts/icon";
import { Failure, Notice } from "../../parts/notice";
import { to } from "../../router";
import { useAction, useAsked } from "../../state/use";
import { text } from "../../text";
import { Page } from "./page";

const words = text.settings.doctor;
const order: Verdict[] = ["fail", "warn", "ok"];
const looks: Record<Verdict, [string, IconName]> = { fail: ["bad", "close"], warn: ["warn", "warn"], ok: ["good", "check"] };
/** Where what a check is about can be changed here. */
const places: Record<string, "models" | "captioners" | "daemon" | undefined> = { checkpoint: "models", "model folder": "models", captioner: "captioners", root: "daemon", address: "daemon" };

/** Looks when it appears, and when it is asked to. */
export function Doctor() {
    const { data, error, again } = useAsked(() => ask(GET("/v1/doctor")), []);
    const { data: version } = useAsked(() => ask(GET("/v1/version")), []);
    const { data: limits } = useAsked(() => ask(GET("/v1/limits")), []);
    const look = useAction(again);
    const busy = look.busy || (!data && !error);
    const checks = order.flatMap((verdict) => data?.checks.filter((check) => check.verdict === verdict) ?? []);
    const actions = (
        <>
            <Button kind="main" busy={busy} onClick={() => void look.run()}>{busy ? text.settings.reading : words.again}</Button>
            {data && <Copy value={asText(data, version)}>{words.copy}</Copy>}
        </>
    );
    return (
        <Page title={text.settings.pages.doctor} about={words.about} actions={actions}>
            <Failure error={error} />
            {!data && !error && <p class="soft" role="status">{words.checking}</p>}
            {data && <Summary checks={checks} />}
            {data && (
                <section class="card">
                    <ul class="settings-list">
                        {checks.map((check, at) => <Line key={`${check.name} ${at}`} check={check} />)}
                    </ul>
                </section>
            )}
            <About home={data?.home} version={version} limits={limits} />
        </Page>
    );
}

function Summary({ checks }: { checks: Check[] }) {
    const of = (verdict: Verdict) => checks.filter((check) => check.verdict === verdict).length;
    const [failed, warned] = [of("fail"), of("warn")];
    const said = [failed && count(failed, words.failed), warned && count(warned, words.warned)].filter(Boolean).join(" ");
    return <Notice kind={failed ? "bad" : warned ? "warn" : "good"}>{said || words.well}</Notice>;
}

function Line({ check: { name, verdict, found, fix } }: { check: Check }) {
    const [weight, icon] = looks[verdict];
    const page = places[name];
    return (
        <li>
            <div class="settings-verdict"><span class={`badge ${weight}`}><Icon name={icon} size={14} />{words.verdicts[verdict]}</span></div>
            <div class="grow stack settings-check">
                <div>
                    <strong>{name}</strong>
                    <p class="wrap"><Coded>{found}</Coded></p>
                </div>
                {fix && <Fix fix={fix} />}
                {page && verdict !== "ok" && <a href={to(["settings", page])}>{fill(words.open, { page: text.settings.pages[page] })}</a>}
            </div>
        </li>
    );
}

function Fix({ fix }: { fix: string }) {
    // What stands between backticks and is longer than a name is to be copied.
    const commands = fix.split("`").filter((part, at) => at % 2 === 1 && part.includes(" "));
    const alone = commands.length === 1 && fix === `\`${commands[0]}\``;
    return (
        <>
            <p class="wrap"><span class="soft">{words.fix}</span> {!alone && <Coded>{fix}</Coded>}</p>
            {commands.map((command) => <Command key={command}>{command}</Command>)}
        </>
    );
}

function asText({ home, checks }: DoctorView, version: VersionView | undefined): string {
    const of = version ? `conceptd ${version.version}, API ${version.api}, ${version.device}` : "conceptd";
    const lines = checks.flatMap(({ name, verdict, found, fix }) => [`${verdict.padEnd(4)}  ${name}: ${found}`, ...(fix ? [`      -> ${fix}`] : [])]);
    return [of, `home: ${home}`, navigator.userAgent, "", ...lines, ""].join("\n");
}

function About({ home, version, limits }: { home: string | undefined; version: VersionView | undefined; limits: Limits | undefined }) {
    const devices: Record<string, string> = words.devices;
    return (
        <section class="card stack">
            <h3>{words.program}</h3>
            <dl class="definition">
                {version && (
                    <>
                        <dt>{words.version}</dt>
                        <dd>{version.version}</dd>
                        <dt>{words.api}</dt>
                        <dd>{version.api}</dd>
                        <dt>{words.device}</dt>
                        <dd>{devices[version.device] ?? version.device}</dd>
                    </>
                )}
                {home && (
                    <>
                        <dt>{words.home}</dt>
                        <dd class="mono">{home}</dd>
                    </>
                )}
                {limits && (
                    <>
                        <dt>{words.limits}</dt>
                        <dd>
                            {limitsOf(limits).join(" · ")} <a href={to(["settings", "daemon"])}>{words.change}</a>
                        </dd>
                    </>
                )}
            </dl>
            <p><a href="/openapi.json" target="_blank" rel="noreferrer">{words.openapi}</a></p>
        </section>
    );
}

function limitsOf({ pictures, file_bytes, dataset_bytes, picture_pixels, queued_jobs }: Limits): string[] {
    const { limit } = words;
    return [
        fill(limit.pictures, { n: number(pictures) }),
        fill(limit.file, { size: bytes(file_bytes) }),
        fill(limit.dataset, { size: bytes(dataset_bytes) }),
        fill(limit.pixels, { n: number(picture_pixels / 1e6) }),
        fill(limit.jobs, { n: number(queued_jobs) }),
    ];
}
