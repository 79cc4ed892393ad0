// One finding, or several that say the same.
import { useState } from "preact/hooks";
import type { PictureView } from "../../api/schema";
import { count, fill, number } from "../../format";
import { Button } from "../../parts/button";
import { toast } from "../../parts/notice";
import { text } from "../../text";
import type { Decide } from "./decide";
import type { Group } from "./findings";
import { Frame } from "./frame";
import { open } from "./opened";

/** So many are shown at first. */
const SHOWN = 12;

/** What one click can do about a finding. */
export interface Acting {
    decide: Decide;
    /** Lets crops follow the subject. */
    onFollow: () => void;
    /** Trains with pictures of so many pixels a side. */
    onResolution: (side: number) => void;
}

/** What was found, what to do, and the pictures it is about; `left` pictures are learnt now. */
export function FindingCard({ dataset, group, left, ...acting }: { dataset: string; group: Group; left: number } & Acting) {
    const { code, advice, said, pictures, severity, settled } = group;
    const [all, showAll] = useState(false);
    const one = said.length === 1 ? said[0]?.message : undefined;
    const each = said.flatMap(({ message, pictures }) => pictures.map((picture) => ({ message, picture })));
    return (
        <article class={`finding ${settled ? "" : severity}`}>
            <div class="row apart">
                <h4>{one ?? `${text.new.check.codes[code]}: ${count(pictures.length, text.new.check.pictures)}`}</h4>
                <div class="row"><Actions group={group} left={left} {...acting} /></div>
            </div>
            <p class="soft small">{advice}</p>
            {pictures.length > 0 && (
                <ul class="finding-pictures">
                    {(all ? each : each.slice(0, SHOWN)).map(({ message, picture }) => (
                        <li key={picture.name} class={one === undefined ? "said" : ""}>
                            <Small dataset={dataset} picture={picture} />
                            {one === undefined && <span class="small soft">{message}</span>}
                        </li>
                    ))}
                </ul>
            )}
            {!all && each.length > SHOWN && <div><Button kind="plain" little onClick={() => showAll(true)}>{text.common.more} ({number(each.length - SHOWN)})</Button></div>}
        </article>
    );
}

function Small({ dataset, picture }: { dataset: string; picture: PictureView }) {
    return (
        <button type="button" class={`tile-open small ${picture.used ? "" : "out"}`} title={picture.name} onClick={() => open(dataset, picture.name)}>
            <Frame dataset={dataset} picture={picture} alt={picture.used ? picture.name : `${picture.name} (${text.new.pictures.out})`} />
        </button>
    );
}

/** Nothing that would leave no picture is offered; `left` are learnt now. */
function Actions({ group: { code, spare, settled }, left, decide, onFollow, onResolution }: { group: Group; left: number } & Acting) {
    const [used, out] = [spare.filter((picture) => picture.used), spare.filter((picture) => !picture.used)];
    const leave = () => {
        decide(used, { used: false });
        toast(count(used.length, text.new.check.outMany));
    };
    // Few small ones are better left out.
    const side = code === "below_resolution" && 2 * used.length > left ? sideOf(used) : 0;
    const leaveWords = code === "near_duplicate" ? text.new.check.keepFirst : text.new.check.leaveOut[used.length === 1 ? 0 : 1];
    return (
        <>
            {code === "subject_outside_crop" && !settled && <Button little onClick={onFollow}>{text.new.check.follow}</Button>}
            {side > 0 && !settled && <Button little onClick={() => onResolution(side)}>{fill(text.new.check.smaller, { side })}</Button>}
            {used.length > 0 && used.length < left && !settled && <Button little onClick={leave}>{leaveWords}</Button>}
            {out.length > 0 && <Button kind="plain" little onClick={() => decide(out, { used: true })}>{text.new.check.takeBack[out.length === 1 ? 0 : 1]}</Button>}
        </>
    );
}

/** The largest resolution for which none of them has to be enlarged. */
function sideOf(pictures: PictureView[]): number {
    return Math.floor(Math.min(...pictures.map(({ width, height }) => Math.min(width, height))) / STEP) * STEP;
}

const STEP = 64;
