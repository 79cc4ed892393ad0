// Loss and held-out error of a training, drawn.
import { precise } from "../../format";
import { text } from "../../text";
import type { Report } from "./report";

const words = text.concepts.details;
const [WIDTH, HEIGHT, LEFT, BELOW] = [640, 200, 60, 24];
/** Of each new loss in the smoothed line. */
const SHARE = 0.08;
const POINTS = 400;

/** The smoothed loss as a line, the held-out errors as dots on a line of their own. */
export function Curve({ losses, held_out }: Report) {
    const steps = Math.max(losses.length, ...held_out.map(([step]) => step), 1);
    let mean = losses[0] ?? 0;
    const every = Math.max(1, Math.ceil(losses.length / POINTS));
    const smooth = losses
        .map((loss, at): [number, number] => [at + 1, (mean += (loss - mean) * SHARE)])
        .filter((_, at) => at % every === 0 || at === losses.length - 1);
    const values = [...smooth, ...held_out].map(([, value]) => value);
    const [least, most] = [Math.min(...values), Math.max(...values)];
    const x = (step: number) => LEFT + (step / steps) * (WIDTH - LEFT - 8);
    const y = (value: number) => 8 + (1 - (value - least) / (most - least || 1)) * (HEIGHT - BELOW - 16);
    const line = (points: [number, number][]) => points.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    return (
        <figure class="concepts-curve">
            <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={words.curve}>
                <line x1={LEFT} y1={HEIGHT - BELOW} x2={WIDTH} y2={HEIGHT - BELOW} class="axis" />
                <text x={LEFT - 6} y={y(most) + 4} text-anchor="end">{precise(most, 2)}</text>
                <text x={LEFT - 6} y={y(least) + 4} text-anchor="end">{precise(least, 2)}</text>
                <text x={LEFT} y={HEIGHT - 6}>0</text>
                <text x={WIDTH - 4} y={HEIGHT - 6} text-anchor="end">{steps}</text>
                <polyline points={line(smooth)} class="loss" />
                <polyline points={line(held_out)} class="held" />
                {held_out.map(([step, value]) => <circle key={step} cx={x(step)} cy={y(value)} r={4} class="held" />)}
            </svg>
            <figcaption class="row small soft">
                <span class="concepts-key loss">{words.loss}</span>
                <span class="concepts-key held">{words.heldOut}</span>
            </figcaption>
        </figure>
    );
}
