// Folders whose data sets train by themselves.
import { useState } from "preact/hooks";
import { ask, GET } from "../../api/client";
import { Button } from "../../parts/button";
import { Coded } from "../../parts/code";
import { Empty, Failure, Loading, toast } from "../../parts/notice";
import { useAsked } from "../../state/use";
import { text } from "../../text";
import { Page } from "./page";
import { WatchCard } from "./watch_card";
import { WatchForm } from "./watch_form";

const words = text.settings.watches;

/** The folders, and a form for another. */
export function Watches() {
    const { data, error, again } = useAsked(() => ask(GET("/v1/watches")), [], 3000);
    const { data: hosts } = useAsked(() => ask(GET("/v1/hosts")), [], 30_000);
    const [adding, setAdding] = useState(false);
    const added = () => {
        toast(words.added);
        setAdding(false);
        void again();
    };
    return (
        <Page title={text.settings.pages.watches} about={words.about} actions={<Button kind="main" icon="add" onClick={() => setAdding(true)}>{words.add}</Button>}>
            <Failure error={error} again={() => void again()} />
            {data ? data.items.map((watch) => <WatchCard key={watch.id} watch={watch} hosts={hosts?.items ?? []} onChanged={again} />) : !error && <Loading />}
            {data?.items.length === 0 && <Empty>{words.none}</Empty>}
            <Naming />
            {adding && <WatchForm hosts={hosts?.items ?? []} onAdded={added} onClose={() => setAdding(false)} />}
        </Page>
    );
}

function Naming() {
    const { title, intro, put, becomes, examples, chosen, toml, example, result } = words.naming;
    return (
        <details class="card settings-naming">
            <summary><h3>{title}</h3></summary>
            <div class="stack settings-inside">
                <p>{intro}</p>
                <table>
                    <thead>
                        <tr>
                            <th scope="col">{put}</th>
                            <th scope="col">{becomes}</th>
                        </tr>
                    </thead>
                    <tbody>
                        {examples.map(([name, mode, concept]) => (
                            <tr key={name}>
                                <td><code>{name}</code></td>
                                <td>{concept} <span class={`badge ${mode ? "accent" : ""}`}>{mode || chosen}</span></td>
                            </tr>
                        ))}
                    </tbody>
                </table>
                <p><Coded>{toml}</Coded></p>
                <pre class="notice">{example}</pre>
                <p><Coded>{result}</Coded></p>
            </div>
        </details>
    );
}
