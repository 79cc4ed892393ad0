// Where a concept begins: drop pictures, or go on with some that are there.
import { ask, GET } from "../../api/client";
import { Head } from "../../parts/head";
import { Notice, toast } from "../../parts/notice";
import { fill } from "../../format";
import { go, query, route } from "../../router";
import { useAsked } from "../../state/use";
import { text } from "../../text";
import { Dropzone } from "./dropzone";
import { Guide } from "./guide";
import { Recent } from "./recent";
import { sendingFor } from "./sending";
import { Tray } from "./tray";

/** `#/new`. */
export function Start() {
    const sending = sendingFor("new");
    // Who is somewhere else meanwhile stays there.
    const arrived = (dataset: string) => {
        if (route.value[0] === "new" && route.value.length === 1) {
            go(["new", dataset], Object.fromEntries(query.value));
        } else {
            toast(text.new.tray.arrived);
        }
    };
    return (
        <>
            <Head title={text.new.title} about={text.new.about} />
            <Continues />
            <div class="start">
                <div class="stack">
                    <Dropzone sending={sending} />
                    <Tray sending={sending} url="/v1/datasets" action={text.new.tray.send} onDone={({ id }) => arrived(id)} />
                </div>
                <Guide />
            </div>
            <Recent />
        </>
    );
}

/** Which concept the next training goes on with, where the address says so. */
function Continues() {
    const id = query.value.get("from");
    const { data } = useAsked(async () => (id ? ask(GET("/v1/concepts/{id}", { params: { path: { id } } })) : undefined), [id]);
    return data ? <div class="start-continues"><Notice>{fill(text.new.continues, { name: data.name })}</Notice></div> : null;
}
