// What was chosen, what of it cannot be used, and its way to the daemon.
import { useEffect, useState } from "preact/hooks";
import { ask, GET, Unreachable } from "../../api/client";
import type { DatasetView, Limits } from "../../api/schema";
import type { Chosen } from "../../api/upload";
import { bytes, count, fill, number } from "../../format";
import { Button } from "../../parts/button";
import { Icon } from "../../parts/icon";
import { Failure, Notice, Progress } from "../../parts/notice";
import { useAsked } from "../../state/use";
import { text } from "../../text";
import { kindOf, type Kind } from "./kinds";
import type { Sending } from "./sending";

/** The chosen files with a button that sends them; nothing while none are chosen. */
export function Tray({ sending, url, action, onDone }: { sending: Sending; url: string; action: string; onDone: (made: DatasetView) => void }) {
    const { data: limits } = useAsked(() => ask(GET("/v1/limits")), []);
    const files = sending.files.value;
    if (files.length === 0) {
        return null;
    }
    const { usable, unusable, counts } = sorted(files, limits);
    const size = usable.reduce((sum, { file }) => sum + file.size, 0);
    const seen = (counts.picture ?? 0) + (counts.film ?? 0) + (counts.archive ?? 0);
    const beyond = limits && beyondLimits(limits, counts.picture ?? 0, size);
    const send = async () => {
        const made = await sending.send(url, usable);
        if (made) {
            onDone(made);
        }
    };
    return (
        <section class="card stack tray" aria-label={text.new.tray.title}>
            <div class="row apart">
                <h2>{[...kinds.flatMap((kind) => (counts[kind] ? [count(counts[kind], text.new.tray[words[kind]])] : [])), bytes(size)].join(" · ")}</h2>
                {sending.share.value === null && <Button kind="plain" little onClick={() => sending.remove(files)}>{text.new.tray.clear}</Button>}
            </div>
            <Previews files={usable} locked={sending.share.value !== null} onRemove={(file) => sending.remove([file])} />
            {unusable.length > 0 && <Unusable files={unusable} onDrop={() => sending.remove(unusable.map(({ file }) => file))} />}
            {beyond && <Notice kind="bad">{beyond}</Notice>}
            {seen === 0 && <Notice kind="warn">{text.new.tray.unseen}</Notice>}
            <Failed error={sending.error.value} />
            {sending.share.value === null ? (
                <div class="row"><Button kind="main" disabled={seen === 0 || !!beyond} onClick={() => void send()}>{action}</Button></div>
            ) : (
                <Sent share={sending.share.value} size={size} onCancel={sending.cancel} />
            )}
        </section>
    );
}

const kinds = ["picture", "film", "archive", "caption", "mask"] as const;
const words = { picture: "pictures", film: "films", archive: "archives", caption: "captions", mask: "masks" } as const;

interface Refusal {
    file: Chosen;
    why: string;
}

function sorted(files: readonly Chosen[], limits: Limits | undefined) {
    const counts: Partial<Record<Kind, number>> = {};
    const [usable, unusable]: [Chosen[], Refusal[]] = [[], []];
    for (const file of files) {
        const is = kindOf(file.path);
        if (is === null) {
            continue;
        }
        if ("why" in is) {
            unusable.push({ file, why: is.why });
        } else if (limits && is.kind !== "archive" && file.file.size > limits.file_bytes) {
            unusable.push({ file, why: fill(text.new.tray.tooLarge, { most: bytes(limits.file_bytes) }) });
        } else {
            usable.push(file);
            counts[is.kind] = (counts[is.kind] ?? 0) + 1;
        }
    }
    return { usable, unusable, counts };
}

function beyondLimits(limits: Limits, pictures: number, size: number): string | null {
    if (pictures > limits.pictures) {
        return fill(text.new.tray.tooMany, { n: number(pictures), most: number(limits.pictures) });
    }
    return size > limits.dataset_bytes ? fill(text.new.tray.tooMuch, { n: bytes(size), most: bytes(limits.dataset_bytes) }) : null;
}

function Unusable({ files, onDrop }: { files: Refusal[]; onDrop: () => void }) {
    const byReason = new Map<string, string[]>();
    for (const { file, why } of files) {
        byReason.set(why, [...(byReason.get(why) ?? []), file.path]);
    }
    return (
        <Notice kind="warn" action={<Button little onClick={onDrop}>{text.new.tray.drop}</Button>}>
            <strong>{count(files.length, text.new.tray.unusable)}</strong>
            <ul class="plain small">
                {[...byReason].map(([why, paths]) => (
                    <li key={why} class="wrap">{shortened(paths)}: {why}</li>
                ))}
            </ul>
        </Notice>
    );
}

function shortened(names: string[]): string {
    const shown = names.slice(0, 4).join(", ");
    return names.length > 4 ? `${shown} ${fill(text.new.tray.more, { n: names.length - 4 })}` : shown;
}

function Failed({ error }: { error: unknown }) {
    if (!error || error instanceof DOMException) {
        return null;
    }
    return (
        <div class="stack">
            {error instanceof Unreachable ? <Notice kind="bad">{text.new.tray.away}</Notice> : <Failure error={error} />}
            <p class="soft small">{text.new.tray.failed}</p>
        </div>
    );
}

function Sent({ share, size, onCancel }: { share: number; size: number; onCancel: () => void }) {
    const all = share >= 1;
    return (
        <div class="stack">
            <Progress share={all ? undefined : share} label={text.new.tray.sending} />
            <div class="row apart">
                <span class="soft small number" role="status">{all ? text.new.tray.surveying : fill(text.new.tray.sent, { sent: bytes(share * size), all: bytes(size) })}</span>
                <Button little icon="close" onClick={onCancel}>{text.new.tray.cancel}</Button>
            </div>
        </div>
    );
}

/** More would be slow to decode, and say no more. */
const SHOWN = 24;

function Previews({ files, locked, onRemove }: { files: Chosen[]; locked: boolean; onRemove: (file: Chosen) => void }) {
    const shows = (file: Chosen) => ["picture", "film", "archive"].includes(kindNamed(file.path));
    const pictures = files.filter(shows);
    return (
        <ul class="tray-files">
            {pictures.slice(0, SHOWN).map((chosen) => (
                <li key={chosen.path}>
                    <Preview chosen={chosen} />
                    <span class="small soft" title={chosen.path}>{chosen.path.slice(chosen.path.lastIndexOf("/") + 1)}</span>
                    {!locked && <Button little icon="close" label={fill(text.new.tray.remove, { name: chosen.path })} onClick={() => onRemove(chosen)} />}
                </li>
            ))}
            {pictures.length > SHOWN && <li class="tray-more soft">{fill(text.new.tray.more, { n: number(pictures.length - SHOWN) })}</li>}
        </ul>
    );
}

function kindNamed(path: string): string {
    const is = kindOf(path);
    return is && "kind" in is ? is.kind : "";
}

function Preview({ chosen: { file, path } }: { chosen: Chosen }) {
    const [url, set] = useState("");
    const [broken, breaks] = useState(kindNamed(path) !== "picture");
    useEffect(() => {
        const made = URL.createObjectURL(file);
        set(made);
        return () => URL.revokeObjectURL(made);
    }, [file]);
    return broken || !url ? <span class="picture"><Icon name="pictures" size={24} /></span> : <img class="picture" src={url} alt="" decoding="async" loading="lazy" onError={() => breaks(true)} />;
}
