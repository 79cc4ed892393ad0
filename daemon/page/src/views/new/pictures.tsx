// The pictures of a data set: which are learnt, and which part of each.
import { useCallback, useMemo, useRef, useState } from "preact/hooks";
import type { Crop, DatasetReport, DatasetView, PictureView } from "../../api/schema";
import { count, fill, number } from "../../format";
import { Button } from "../../parts/button";
import { Check } from "../../parts/field";
import { Notice } from "../../parts/notice";
import { stored } from "../../state/stored";
import { useGrowing } from "../../state/use";
import { text } from "../../text";
import { Add } from "./add";
import { cropOf } from "./crop";
import type { Decide } from "./decide";
import { remarks, type Group } from "./findings";
import { Large } from "./large";
import { opened } from "./opened";
import { Tile } from "./tile";

const showsCrops = stored("new.crops", true);
const none: readonly Group[] = [];
const showsMasks = stored("new.masks", false);

/** The grid with what can be done to all of it. `round` grows when masks may have changed. */
export function Pictures({ dataset, crop, report, groups, round, decide }: { dataset: DatasetView; crop: Crop; report: DatasetReport | null | undefined; groups: Group[]; round: number; decide: Decide }) {
    const { id, pictures } = dataset;
    const { selected, select, setAll } = useSelection(pictures);
    const drawn = useGrowing(pictures.length);
    const marks = useMemo(() => remarks(groups), [groups]);
    const measures = useMemo(() => new Map(report?.pictures.map((picture) => [picture.name, picture])), [report]);
    const used = pictures.filter((picture) => picture.used).length;
    const chosen = pictures.filter((picture) => selected.has(picture.name));
    const words = text.new.pictures;
    const at = opened.value?.dataset === id ? pictures.findIndex((picture) => picture.name === opened.value?.name) : -1;
    const shown = pictures[at];
    const partOf = (picture: PictureView) => cropOf(picture, crop, measures.get(picture.name));
    return (
        <div class="stack">
            <div class="row apart">
                <p class="grow">
                    {used === pictures.length ? count(used, words.allUsed) : fill(words.used, { used: number(used), all: number(pictures.length) })}. {words.hint}{" "}
                    <span class="soft">{words.kinds[crop]} {!report && (crop === "face" || crop === "salience") && words.unchecked}</span>
                </p>
                <Add dataset={id} />
            </div>
            {used === 0 && <Notice kind="warn">{words.none}</Notice>}
            <div class="row apart pictures-bar">
                <div class="row">
                    {chosen.length > 0 && <Chosen pictures={chosen} decide={decide} onDone={() => setAll(false)} />}
                    {pictures.length > 1 && chosen.length < pictures.length && <Button kind="plain" little onClick={() => setAll(true)}>{words.selectAll}</Button>}
                    {chosen.length > 0 && <Button kind="plain" little onClick={() => setAll(false)}>{words.selectNone}</Button>}
                </div>
                <div class="row">
                    {crop !== "bucket" && <Check label={words.crop} checked={showsCrops.value} onChange={(on) => (showsCrops.value = on)} />}
                    <Check label={words.mask} checked={showsMasks.value} onChange={(on) => (showsMasks.value = on)} />
                </div>
            </div>
            <ul class="tiles">
                {pictures.slice(0, drawn).map((picture, index) => (
                    <Tile
                        key={picture.name}
                        dataset={id}
                        picture={picture}
                        crop={showsCrops.value ? partOf(picture) : null}
                        mask={showsMasks.value ? round : undefined}
                        remarks={marks.get(picture.name) ?? none}
                        selected={selected.has(picture.name)}
                        at={index}
                        onSelect={select}
                        decide={decide}
                    />
                ))}
            </ul>
            <Told dataset={dataset} />
            {shown && <Large dataset={dataset} at={at} crop={crop} part={partOf(shown)} remarks={marks.get(shown.name) ?? []} round={round} decide={decide} />}
        </div>
    );
}

function Chosen({ pictures, decide, onDone }: { pictures: PictureView[]; decide: Decide; onDone: () => void }) {
    const use = (used: boolean) => {
        decide(pictures.filter((picture) => picture.used !== used), { used });
        onDone();
    };
    return (
        <>
            <strong aria-live="polite">{count(pictures.length, text.new.pictures.selected)}</strong>
            {pictures.some((picture) => picture.used) && <Button little icon="close" onClick={() => use(false)}>{text.new.pictures.leaveOut}</Button>}
            {pictures.some((picture) => !picture.used) && <Button little icon="add" onClick={() => use(true)}>{text.new.pictures.takeBack}</Button>}
        </>
    );
}

/** Which pictures are selected; with shift everything from the last one on. */
function useSelection(pictures: PictureView[]) {
    const [selected, set] = useState<ReadonlySet<string>>(new Set());
    const last = useRef(0);
    const latest = useRef(pictures);
    latest.current = pictures;
    const select = useCallback((index: number, on: boolean, range: boolean) => {
        const from = range ? last.current : index;
        const names = latest.current.slice(Math.min(from, index), Math.max(from, index) + 1).map((picture) => picture.name);
        last.current = index;
        set((before) => {
            const now = new Set(before);
            names.forEach((name) => (on ? now.add(name) : now.delete(name)));
            return now;
        });
    }, []);
    const setAll = (on: boolean) => set(new Set(on ? pictures.map((picture) => picture.name) : []));
    return { selected, select, setAll };
}

/** What the daemon passed over or wants known. */
function Told({ dataset: { skipped, notes } }: { dataset: DatasetView }) {
    return (
        <>
            {skipped.length > 0 && (
                <details open={skipped.length <= 5}>
                    <summary>{count(skipped.length, text.new.pictures.skipped)}</summary>
                    <ul class="plain small">{skipped.map(({ name, reason }) => <li key={name} class="wrap"><strong>{name}</strong>: {reason}</li>)}</ul>
                </details>
            )}
            {notes.length > 0 && (
                <details open={notes.length <= 5}>
                    <summary>{count(notes.length, text.new.pictures.notes)}</summary>
                    <ul class="plain small">{notes.map((note) => <li key={note} class="wrap">{note}</li>)}</ul>
                </details>
            )}
        </>
    );
}
