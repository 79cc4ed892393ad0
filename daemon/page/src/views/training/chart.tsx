// The loss of a run and its held-out error, as a chart that can be looked into, and in words.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { LossPoint } from "../../api/schema";
import { fill, number, precise } from "../../format";
import { Button, Segments } from "../../parts/button";
import { stored } from "../../state/stored";
import { text } from "../../text";
import { extent, logMarks, marks, nearest, path, placeOf, type Range, scaled, smoothed, within } from "./curve";
import { useZoom } from "./zoom";

const scale = stored<"linear" | "log">("running.scale", "linear");
const words = text.running.curve;

/** The chart with its legend, its table and what it says in words. */
export function LossChart({ training, heldOut }: { training: LossPoint[]; heldOut: LossPoint[] }) {
    const smooth = useMemo(() => smoothed(training), [training]);
    const [open, setOpen] = useState(false);
    const [first, last] = [training[0], training.at(-1)];
    if (!first || !last) {
        return <p class="soft">{words.empty}</p>;
    }
    return (
        <div class="stack">
            <Plot training={training} smooth={smooth} heldOut={heldOut} whole={[Math.min(first.step, last.step - 1), last.step]} />
            <p class="soft small">{words.hint}</p>
            <details class="small" onToggle={(event) => setOpen(event.currentTarget.open)}>
                <summary>{words.table}</summary>
                {open && <Table smooth={smooth} heldOut={heldOut} />}
            </details>
        </div>
    );
}

const SIDE = { left: 48, right: 20, top: 10, bottom: 26 };

function Plot({ training, smooth, heldOut, whole }: { training: LossPoint[]; smooth: LossPoint[]; heldOut: LossPoint[]; whole: Range }) {
    const box = useRef<HTMLDivElement>(null);
    const [width, setWidth] = useState(600);
    useEffect(() => {
        const watch = new ResizeObserver(([entry]) => entry && setWidth(Math.max(240, Math.round(entry.contentRect.width))));
        if (box.current) {
            watch.observe(box.current);
        }
        return () => watch.disconnect();
    }, []);
    const height = width < 480 ? 220 : 280;
    const log = scale.value === "log";
    const inner: Range = [SIDE.left, width - SIDE.right];
    const { range, at, drag, zoomed, reset, handlers } = useZoom(box, whole, inner);
    const columns = Math.round(inner[1] - inner[0]);
    const [raw, line, held] = [training, smooth, heldOut].map((points) => within(points, range, columns)) as [LossPoint[], LossPoint[], LossPoint[]];
    const tall = extent(raw, [line, held], log);
    const x = scaled(range, inner);
    const y = scaled(tall, [height - SIDE.bottom, SIDE.top], log);
    const shown = at === null ? undefined : nearest(training, at);
    const step = shown?.step;
    const value = (points: LossPoint[]) => (step === undefined ? points.at(-1) : points[placeOf(points, step)]);
    // The error at the last snapshot that was there by then.
    const heldThen = step === undefined ? heldOut.at(-1) : heldOut[placeOf(heldOut, step + 1) - 1];
    const said = fill(words.value, { step: number(step ?? whole[1]), loss: figure(value(training)), smooth: figure(value(smooth)) });
    const saidHeld = heldThen && fill(words.valueHeldOut, { heldOut: figure(heldThen), at: number(heldThen.step) });
    return (
        <>
            <div class="row apart">
                <ul class="legend small">
                    <li class="number">{fill(words.atStep, { step: number(step ?? whole[1]) })}</li>
                    <li><i class="key-smooth" />{words.smooth} <b class="number">{figure(value(smooth))}</b></li>
                    <li><i class="key-raw" />{words.raw} <b class="number">{figure(value(training))}</b></li>
                    {heldThen && <li><i class="key-held" />{words.heldOut} <b class="number">{figure(heldThen)}</b></li>}
                </ul>
                <div class="row">
                    {zoomed && <Button little icon="back" onClick={reset}>{words.reset}</Button>}
                    <Segments label={words.scale} value={scale.value} choices={[["linear", words.linear], ["log", words.log]]} onChange={(value) => (scale.value = value)} />
                </div>
            </div>
            <div
                ref={box}
                class="plot"
                role="slider"
                tabIndex={0}
                title={words.keys}
                aria-label={words.plot}
                aria-description={words.keys}
                aria-valuemin={whole[0]}
                aria-valuemax={whole[1]}
                aria-valuenow={step ?? whole[1]}
                aria-valuetext={saidHeld ? `${said}, ${saidHeld}` : said}
                {...handlers}
            >
                <svg width={width} height={height} aria-hidden="true">
                    <clipPath id="plot-inner"><rect x={inner[0]} y={0} width={columns} height={height - SIDE.bottom} /></clipPath>
                    {(log ? logMarks(tall, 5) : marks(tall, 5)).map((mark) => (
                        <g key={mark} class="mark">
                            <line x1={inner[0]} x2={inner[1]} y1={y(mark)} y2={y(mark)} />
                            <text x={inner[0] - 8} y={y(mark) + 4} text-anchor="end">{precise(mark)}</text>
                        </g>
                    ))}
                    {marks(range, width < 480 ? 4 : 8, true).map((mark) => (
                        <text key={mark} class="mark" x={x(mark)} y={height - 8} text-anchor="middle">{number(mark)}</text>
                    ))}
                    <g clip-path="url(#plot-inner)">
                        {held.map((point) => <line key={point.step} class="snapshot" x1={x(point.step)} x2={x(point.step)} y1={height - SIDE.bottom} y2={height - SIDE.bottom - 6} />)}
                        <path class="line-raw" d={path(raw, x, y)} />
                        <path class="line-smooth" d={path(line, x, y)} />
                        <path class="line-held" d={path(held, x, y)} />
                        {held.map((point) => <circle key={point.step} class="dot-held" cx={x(point.step)} cy={y(point.value)} r={held.length > 60 ? 2 : 3.5} />)}
                        {drag && <rect class="drag" x={Math.min(...drag)} width={Math.abs(drag[1] - drag[0])} y={0} height={height} />}
                        {shown && !drag && (
                            <g class="cross">
                                <line x1={x(shown.step)} x2={x(shown.step)} y1={SIDE.top} y2={height - SIDE.bottom} />
                                <circle cx={x(shown.step)} cy={y(value(smooth)?.value ?? NaN) || -9} r={4} />
                            </g>
                        )}
                    </g>
                </svg>
            </div>
        </>
    );
}

function Table({ smooth, heldOut }: { smooth: LossPoint[]; heldOut: LossPoint[] }) {
    const [first, last] = [smooth[0], smooth.at(-1)];
    const best = heldOut.reduce<LossPoint | undefined>((best, point) => (best && best.value <= point.value ? best : point), undefined);
    // Snapshots are what counts; without them, steps in even distances.
    const source = heldOut.length > 4 ? heldOut : smooth;
    const each = Math.ceil(source.length / 24);
    const steps = new Set([first, ...source.filter((_, at) => (at + 1) % each === 0), ...heldOut.filter((point) => point === best), last].flatMap((point) => point?.step ?? []));
    const held = new Map(heldOut.map(({ step, value }) => [step, value]));
    return (
        <div class="stack">
            <p>
                {first && last && fill(words.fell, { from: figure(first), to: figure(last), steps: number(last.step) })}{" "}
                {best && fill(words.best, { value: figure(best), step: number(best.step) })}
            </p>
            <div class="scroll tall" role="region" aria-label={words.table} tabIndex={0}>
                <table class="number">
                    <thead><tr>{words.columns.map((column) => <th key={column} scope="col">{column}</th>)}</tr></thead>
                    <tbody>
                        {[...steps].sort((a, b) => a - b).map((step) => {
                            const heldValue = held.get(step);
                            return <tr key={step}><th scope="row">{number(step)}</th><td>{figure(nearest(smooth, step))}</td><td>{heldValue === undefined ? "" : precise(heldValue)}</td></tr>;
                        })}
                    </tbody>
                </table>
            </div>
        </div>
    );
}

function figure(point: LossPoint | undefined): string {
    return point && Number.isFinite(point.value) ? precise(point.value) : "–";
}
