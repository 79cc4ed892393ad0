// What a user decides about pictures: shown at once, sent together a moment later.
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ask, PATCH, Unreachable } from "../../api/client";
import type { DatasetView, PictureChoice, PictureView } from "../../api/schema";
import { toastError } from "../../parts/notice";
import type { Asked } from "../../state/use";

/** Changes some pictures. */
export type Decide = (pictures: PictureView[], part: Partial<PictureChoice>) => void;

type Choices = ReadonlyMap<string, PictureChoice>;

/** A data set as the user sees it, with decisions that are still on their way. */
export function useDecisions(asked: Asked<DatasetView>, onChanged: () => void): { dataset: DatasetView | undefined; decide: Decide } {
    const { data, set, again } = asked;
    const [shown, show] = useState<Choices>(new Map());
    const waiting = useRef<Choices>(new Map());
    const busy = useRef(false);
    const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
    const id = data?.id ?? "";
    const changed = useRef(onChanged);
    changed.current = onChanged;

    const send = useCallback(async (leaving = false) => {
        clearTimeout(timer.current);
        if (busy.current || waiting.current.size === 0 || !id) {
            return;
        }
        busy.current = true;
        const sent = waiting.current;
        waiting.current = new Map();
        let pause = 0;
        try {
            const body = { pictures: Object.fromEntries(sent) };
            set(await ask(PATCH("/v1/datasets/{id}", { params: { path: { id } }, body, keepalive: leaving })));
            changed.current();
        } catch (error) {
            if (error instanceof Unreachable) {
                waiting.current = new Map([...sent, ...waiting.current]);
                pause = RETRY_MS;
            } else {
                toastError(error);
                await again();
            }
        }
        busy.current = false;
        show(waiting.current);
        if (waiting.current.size > 0) {
            timer.current = setTimeout(send, pause);
        }
    }, [id, set, again]);

    useEffect(() => {
        const leave = () => void send(true);
        addEventListener("pagehide", leave);
        return () => {
            removeEventListener("pagehide", leave);
            leave();
        };
    }, [send]);

    const decide = useCallback<Decide>((pictures, part) => {
        const choices = pictures.map(({ name, used, focus }) => [name, { used, focus: focus ?? null, ...part }] as const);
        waiting.current = new Map([...waiting.current, ...choices]);
        show((before) => new Map([...before, ...choices]));
        clearTimeout(timer.current);
        timer.current = setTimeout(send, QUIET_MS);
    }, [send]);

    const dataset = useMemo(() => data && shown.size > 0 ? { ...data, pictures: data.pictures.map((picture) => ({ ...picture, ...shown.get(picture.name) })) } : data, [data, shown]);
    return { dataset, decide };
}

const QUIET_MS = 200;
const RETRY_MS = 2000;
