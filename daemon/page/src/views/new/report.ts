// The examination of a data set: what the last one said, whether that still holds, and asking for another.
import type { Signal } from "@preact/signals";
import { useEffect, useMemo, useState } from "preact/hooks";
import { ask, GET, isGone, POST } from "../../api/client";
import type { BaseFamily, DatasetReport, DatasetView } from "../../api/schema";
import { useAction, useAsked } from "../../state/use";
import { fill } from "../../format";
import { text } from "../../text";
import { change, type Draft } from "./draft";
import { groupsOf, type Group } from "./findings";

/** What the check section needs to know. */
export interface Checking {
    /** Null for none yet; undefined while that is not known. */
    report: DatasetReport | null | undefined;
    groups: Group[];
    /** Nothing serious is left, and it was looked for. */
    clean: boolean;
    /** Why the report does not hold any more. */
    stale: string | null;
    /** Whether somebody looks at the pictures. */
    looking: boolean;
    error: unknown;
    examine: () => void;
    /** What others began has ended. */
    ended: () => void;
    /** Grows with every examination, which may make other masks. */
    round: number;
}

/** Examines by itself once a mode is chosen, a moment later, so that looking through the modes costs nothing. */
const MOMENT_MS = 1200;
const KEPT_MS = 2000;

/** The state of the examination. */
export function useReport(dataset: DatasetView, draft: Signal<Draft>, again: () => Promise<void>): Checking {
    const { id } = dataset;
    const [round, next] = useState(0);
    const known = useAsked(() => reportOf(id), [id]);
    const { data: models } = useAsked(() => ask(GET("/v1/models", { params: { query: { limit: 200 } } })), []);
    const { name, mode, base, parameters, examined } = draft.value;
    const family = models?.items.find((model) => model.name === base || model.path === base)?.family;
    const resolution = parameters.resolution ?? usual(family);
    const { run, busy, error } = useAction(async () => {
        if (!mode) {
            return;
        }
        const body = { mode, name: name.trim().slice(0, 100), resolution, mask: parameters.mask ?? "auto", crop: parameters.crop ?? "center" };
        known.set(await ask(POST("/v1/datasets/{id}/examine", { params: { path: { id } }, body })));
        next((before) => before + 1);
        await again();
    });
    const look = () => {
        next((before) => before + 1);
        void known.again();
        void again();
    };
    const ended = () => {
        look();
        // The daemon keeps what was seen a moment after nobody looks any more.
        setTimeout(look, KEPT_MS);
    };
    const report = known.data;
    const looking = busy || typeof dataset.looked_at === "number";
    const some = dataset.pictures.some((picture) => picture.used);
    const unasked = some && mode && report !== undefined && report?.mode !== mode && examined !== mode && !looking;
    useEffect(() => {
        if (!unasked) {
            return;
        }
        const timer = setTimeout(() => {
            change(draft, { examined: mode });
            void run();
        }, MOMENT_MS);
        return () => clearTimeout(timer);
    }, [unasked, mode]);
    const groups = useMemo(() => (report ? groupsOf(report, dataset, parameters.crop ?? "center", resolution) : []), [report, dataset, parameters.crop, resolution]);
    const stale = report ? staleness(report, dataset, mode, resolution) : null;
    const clean = !!report && report.mode === mode && !groups.some((group) => group.severity === "serious" && !group.settled);
    return { report, groups, clean, stale, looking, error: error ?? known.error, examine: () => void run(), ended, round };
}

async function reportOf(id: string): Promise<DatasetReport | null> {
    try {
        return await ask(GET("/v1/datasets/{id}/report", { params: { path: { id } } }));
    } catch (error) {
        if (isGone(error)) {
            return null;
        }
        throw error;
    }
}

/** As long as no base is chosen, the larger. */
function usual(family: BaseFamily | null | undefined): number {
    return family === "sd15" ? 512 : 1024;
}

function staleness(report: DatasetReport, { pictures }: DatasetView, mode: Draft["mode"], resolution: number): string | null {
    if (mode && report.mode !== mode) {
        return fill(text.new.check.staleMode, { mode: text.modes[report.mode] });
    }
    const used = new Set(pictures.filter((picture) => picture.used).map((picture) => picture.name));
    if (report.pictures.some(({ name }) => !used.has(name))) {
        return text.new.check.stalePictures;
    }
    if (report.pictures.length < used.size) {
        return fill(text.new.check.partly, { n: report.pictures.length, all: used.size });
    }
    return report.resolution === resolution ? null : fill(text.new.check.staleResolution, { resolution: report.resolution, now: resolution });
}
