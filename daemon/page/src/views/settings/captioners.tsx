// The models that look at pictures: what each is for, which are there, how to add others.
import { ask, GET } from "../../api/client";
import type { VisionModel } from "../../api/schema";
import { bytes, fill } from "../../format";
import { Coded, Command } from "../../parts/code";
import { Failure, Loading } from "../../parts/notice";
import { useAsked } from "../../state/use";
import { text } from "../../text";
import { Page } from "./page";
import { SettingsOf } from "./setting";

const words = text.settings.captioners;
const purposes = Object.entries(words.purposes);

/** Purpose by purpose; what is added in a terminal appears by itself. */
export function Captioners() {
    const { data, error, again } = useAsked(() => ask(GET("/v1/captioners")), [], 5000);
    const others = data?.items.filter(({ purpose }) => !(purpose in words.purposes)) ?? [];
    return (
        <Page title={text.settings.pages.captioners} about={words.about}>
            <div class="notice">{words.unasked}</div>
            <Failure error={error} again={() => void again()} />
            {data ? (
                <div class="settings-cards">
                    {purposes.map(([purpose, [title, about]]) => <Purpose key={purpose} purpose={purpose} title={title} about={about} installed={data.items.filter((model) => model.purpose === purpose)} />)}
                    {others.length > 0 && (
                        <section class="card stack">
                            <h3>{words.other}</h3>
                            <Installed models={others} />
                        </section>
                    )}
                    <section class="card stack">
                        <h3>{words.elsewhere}</h3>
                        <p class="soft">{words.elsewhereText}</p>
                        <Command>conceptd models find</Command>
                        <p class="soft">{words.file}</p>
                        <Command>conceptd models add FOLDER</Command>
                        <p class="soft">{words.all}</p>
                        <Command>conceptd models known</Command>
                    </section>
                </div>
            ) : (
                !error && <Loading />
            )}
            <SettingsOf title={words.server} names={["caption_endpoint", "caption_model"]} about={words.serverText} lines={words.serverLines} />
        </Page>
    );
}

function Purpose({ purpose, title, about, installed }: { purpose: string; title: string; about: string; installed: VisionModel[] }) {
    const missing = words.known.filter(([of, id]) => of === purpose && !installed.some((model) => model.id === id));
    const [first, ...rest] = installed.length ? [undefined, ...missing] : missing;
    return (
        <section class="card stack">
            <header class="row">
                <h3>{title}</h3>
                {installed.length === 0 && <span class="badge settings-push">{words.none}</span>}
            </header>
            <p class="soft"><Coded>{about}</Coded></p>
            {installed.length > 0 && <Installed models={installed} />}
            {first && <Known model={first} />}
            {rest.length > 0 && (
                <details>
                    <summary>{words.others}</summary>
                    <div class="stack settings-inside">{rest.map((model) => model && <Known key={model[1]} model={model} />)}</div>
                </details>
            )}
        </section>
    );
}

function Installed({ models }: { models: VisionModel[] }) {
    return (
        <ul class="settings-list">
            {models.map(({ id, purpose, form, bytes: size, problem }) => (
                <li key={id}>
                    <div class="grow">
                        <strong class="wrap">{id}</strong> <span class="soft small">{form}</span>
                        {!(purpose in words.purposes) && <p class="soft small">{fill(words.otherText, { purpose })}</p>}
                        {problem && <p class="settings-wrong small wrap"><Coded>{problem}</Coded></p>}
                    </div>
                    <span class="number soft">{bytes(size)}</span>
                    <span class={`badge ${problem ? "bad" : "good"}`}>{problem ? words.broken : words.ready}</span>
                </li>
            ))}
        </ul>
    );
}

function Known({ model: [, id, size, licence, good] }: { model: (typeof words.known)[number] }) {
    return (
        <div class="settings-known">
            <p class="small">{good} <span class="soft">· {fill(words.licence, { size: bytes(size), licence })}</span></p>
            <Command>{`conceptd models add ${id}`}</Command>
        </div>
    );
}
