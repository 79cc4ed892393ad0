// What was kept on the way, and how models judged it.
import type { LossPoint, Scores } from "../../api/schema";
import { number, precise } from "../../format";
import { text } from "../../text";

const words = text.running.scores;

/** Snapshots by strength as models judged them, or by their held-out error. */
export function Snapshots({ scores, heldOut }: { scores: Scores | null; heldOut: LossPoint[] }) {
    if (scores?.rows.length) {
        return <section class="card stack"><h2>{words.title}</h2><p class="soft small">{words.judged}</p><Judged scores={scores} /></section>;
    }
    const best = Math.min(...heldOut.map(({ value }) => value));
    return heldOut.length === 0 ? null : (
        <section class="card stack">
            <h2>{words.title}</h2>
            <p class="soft small">{words.plain}</p>
            <div class="scroll tall" tabIndex={0} role="region" aria-label={words.title}>
                <table class="number">
                    <thead><tr><th scope="col">{words.step}</th><th scope="col">{words.heldOut}</th><th><span class="hide-visually">{words.lowest}</span></th></tr></thead>
                    <tbody>
                        {heldOut.toReversed().map(({ step, value }) => (
                            <tr key={step} class={value === best ? "best" : ""}>
                                <th scope="row">{step ? number(step) : words.before}</th>
                                <td>{precise(value)}</td>
                                <td>{value === best && <span class="badge good">{words.lowest}</span>}</td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            </div>
        </section>
    );
}

function Judged({ scores: { rows, best } }: { scores: Scores }) {
    const score = (value: number | null | undefined) => (typeof value === "number" ? number(value) : "–");
    return (
        <div class="scroll" tabIndex={0} role="region" aria-label={words.title}>
            <table class="number close">
                <thead>
                    <tr>{[words.step, words.strength, words.likeness, words.obedience, words.total].map((name) => <th key={name} scope="col">{name}</th>)}</tr>
                </thead>
                <tbody>
                    {rows.map((row) => {
                        const wins = best?.step === row.step && best.strength === row.strength;
                        return (
                            <tr key={`${row.step} ${row.strength}`} class={wins ? "best" : ""}>
                                <th scope="row">{number(row.step)} {wins && <span class="badge good">{words.best}</span>}</th>
                                <td>{number(row.strength)}</td>
                                <td>{score(row.likeness)}</td>
                                <td>{score(row.obedience)}</td>
                                <td>{number(row.total)}<span class="total-bar" aria-hidden="true"><i style={{ width: `${Math.round(row.total * 100)}%` }} /></span></td>
                            </tr>
                        );
                    })}
                </tbody>
            </table>
        </div>
    );
}
