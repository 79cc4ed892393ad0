// Every setting of the daemon.
import type { SettingView, Settings } from "../../api/schema";
import { count, fill } from "../../format";
import { Failure, Loading, Notice } from "../../parts/notice";
import { text } from "../../text";
import { Page } from "./page";
import { isWaiting, Setting, useSettings } from "./setting";

const words = text.settings.daemon;
type Group = keyof typeof words.groups;

/** Which settings stand together, the most asked for first; those of newer daemons stand under `other`. */
const groups: [Exclude<Group, "limits" | "other">, string[]][] = [
    ["gpu", ["courtesy", "host_idle"]],
    ["work", ["memory_budget", "threads", "keep_alive", "worker_silence"]],
    ["folders", ["models", "roots"]],
    ["eyes", ["caption_endpoint", "caption_model", "onnxruntime"]],
    ["network", ["offline", "address", "port", "allowed_hosts", "allowed_origins"]],
    ["log", ["log"]],
];

function grouped(items: SettingView[]): [Group, SettingView[]][] {
    const byName = new Map(items.map((item) => [item.name, item]));
    const out: [Group, SettingView[]][] = groups.map(([group, names]) => [group, names.flatMap((name) => byName.get(name) ?? [])]);
    const placed = new Set(groups.flatMap(([, names]) => names));
    const rest = items.filter(({ name }) => !placed.has(name));
    out.push(["limits", rest.filter(({ name }) => name.startsWith("limits."))]);
    out.push(["other", rest.filter(({ name }) => !name.startsWith("limits."))]);
    return out.filter(([, items]) => items.length > 0);
}

/** By group, with what waits for the next start on top. */
export function Daemon() {
    const { data, error, again, set } = useSettings();
    const about = data ? fill(words.about, { file: data.file }) : words.aboutShort;
    const waiting = data?.items.filter(isWaiting).length ?? 0;
    return (
        <Page title={text.settings.pages.daemon} about={about}>
            {waiting > 0 && <Notice kind="warn"><strong>{count(waiting, words.restart)}</strong> {words.restartHow}</Notice>}
            <Failure error={error} again={() => void again()} />
            {!data && !error && <Loading />}
            {data && grouped(data.items).map(([group, items]) => <GroupCard key={group} group={group} items={items} onChanged={set} />)}
        </Page>
    );
}

function GroupCard({ group, items, onChanged }: { group: Group; items: SettingView[]; onChanged: (settings: Settings) => void }) {
    const about = group === "gpu" ? words.gpu : group === "limits" ? words.limits : undefined;
    return (
        <section class="card stack">
            <h3>{words.groups[group]}</h3>
            {about && <p class="soft">{about}</p>}
            {items.map((item) => <Setting key={item.name} item={item} onChanged={onChanged} />)}
        </section>
    );
}
