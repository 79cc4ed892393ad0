// Create: pictures with concepts, and all that were made.
import { useEffect, useState } from "preact/hooks";
import { fill } from "../../format";
import { Head } from "../../parts/head";
import { Failure } from "../../parts/notice";
import { query, to } from "../../router";
import { text } from "../../text";
import { apply, change, draft } from "./draft";
import "./create.css";
import { Form } from "./form";
import { useCreations } from "./history";
import { type Asking, HostPrompts } from "./hosts";
import { Large } from "./large";
import { conceptOf, concepts, look, trouble, useLibrary } from "./library";
import { Picker } from "./picker";
import { Results } from "./results";

/** The view; `#/create/ID/2` shows the second picture of a creation, `?concept=ID&prompt=WORDS` fills the form. */
export function Create({ rest: [id, picture] }: { rest: string[] }) {
    useLibrary();
    useCreations();
    useFilled();
    const [picking, setPicking] = useState(false);
    const [asking, setAsking] = useState<Asking>();
    const [order, setOrder] = useState<string[]>([]);
    const made = () => document.getElementById("create-results")?.scrollIntoView({ block: "nearest" });
    return (
        <>
            <Head title={text.create.title} />
            <Failure error={trouble.value} again={() => void look()} />
            <div class="create">
                <Form onAdd={() => setPicking(true)} onHosts={() => setAsking({ prompt: draft.value.prompt, concepts: draft.value.concepts.filter(({ concept }) => conceptOf(concept)) })} onMade={made} />
                <Results onHosts={setAsking} onShown={setOrder} />
            </div>
            {id && <Large place={{ creation: id, picture: Math.max(0, (Number(picture) || 1) - 1) }} order={order} onHosts={setAsking} />}
            {picking && <Picker onClose={() => setPicking(false)} />}
            {asking && <HostPrompts asking={asking} onClose={() => setAsking(undefined)} />}
        </>
    );
}

/** Takes what the address asks for once, so that a reload does not undo what was typed since. */
function useFilled(): void {
    const asked = query.value;
    const wanted = asked.get("concept");
    const prompt = asked.get("prompt");
    const there = concepts.value !== undefined;
    useEffect(() => {
        if ((wanted === null && prompt === null) || !there) {
            return;
        }
        if (wanted !== null) {
            const step = Number(asked.get("step"));
            const concept = conceptOf(wanted);
            change({ concepts: [], base: null, size: null });
            apply(concept?.id ?? wanted, 1, step > 0 ? step : undefined);
            if (concept && draft.value.prompt.trim() === "") {
                change({ prompt: fill(text.create.prompt.first[concept.mode], { name: concept.name }) });
            }
        }
        if (prompt !== null) {
            change({ prompt });
        }
        location.replace(to(["create"]));
    }, [wanted, prompt, there]);
}
