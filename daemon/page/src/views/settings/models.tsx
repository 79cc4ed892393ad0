// The checkpoints that were found, and where they are looked for.
import { useState } from "preact/hooks";
import { ask, GET } from "../../api/client";
import type { ModelView } from "../../api/schema";
import { bytes } from "../../format";
import { Button, Copy } from "../../parts/button";
import { Coded } from "../../parts/code";
import { Empty, Failure, Loading } from "../../parts/notice";
import { useAction, useAsked } from "../../state/use";
import { text } from "../../text";
import { Page } from "./page";
import { SettingsOf } from "./setting";

const words = text.settings.models;

/** The most that the daemon gives at once. */
const MOST = 200;

/** Checkpoints up to so many pages, and whether there are more. */
async function upTo(pages: number): Promise<{ items: ModelView[]; more: boolean }> {
    const items: ModelView[] = [];
    let after: string | null | undefined;
    for (let page = 0; page < pages; page++) {
        const answer = await ask(GET("/v1/models", { params: { query: { limit: MOST, ...(after ? { after } : {}) } } }));
        items.push(...answer.items);
        after = answer.next;
        if (!after) {
            break;
        }
    }
    return { items, more: Boolean(after) };
}

/** What lies in the folders with checkpoints. */
export function Models() {
    const [pages, setPages] = useState(1);
    const { data, error, again, set } = useAsked(() => upTo(pages), [], 20_000);
    const look = useAction(again);
    const more = useAction(async () => {
        set(await upTo(pages + 1));
        setPages(pages + 1);
    });
    return (
        <Page title={text.settings.pages.models} about={words.about} actions={<Button busy={look.busy} onClick={() => void look.run()}>{text.settings.refresh}</Button>}>
            <Failure error={error} again={() => void again()} />
            {!data && !error && <Loading />}
            {data?.items.length === 0 && <Empty><Coded>{words.none}</Coded></Empty>}
            {data && data.items.length > 0 && (
                <div class="card">
                    <ul class="settings-list">
                        {data.items.map((model) => <Model key={model.path} model={model} />)}
                    </ul>
                    {data.more && <Button busy={more.busy} onClick={() => void more.run()}>{text.common.more}</Button>}
                    <Failure error={more.error} />
                </div>
            )}
            <SettingsOf title={words.folders} names={["models"]} about={words.own} />
        </Page>
    );
}

function Model({ model: { name, path, bytes: size, family, problem, nonstandard, sha256 } }: { model: ModelView }) {
    return (
        <li>
            <div class="grow">
                <strong class="wrap">{name}</strong>
                <p class="soft mono wrap">{path}</p>
                {problem && <p class="settings-wrong small wrap"><Coded>{problem}</Coded></p>}
                {nonstandard && <p class="settings-warning small">{words.nonstandard}. {words.nonstandardHint}</p>}
                <details class="small">
                    <summary>{words.digest}</summary>
                    {sha256 ? <p class="row"><span class="mono wrap grow">{sha256}</span><Copy value={sha256} /></p> : <p class="soft">{words.noDigest}</p>}
                </details>
            </div>
            <span class={`badge ${family ? "accent" : "bad"}`}>{family ? text.families[family] : words.unknown}</span>
            <span class="number soft">{bytes(size)}</span>
        </li>
    );
}
