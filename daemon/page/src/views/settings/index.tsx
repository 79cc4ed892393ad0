// Settings.
export function Settings({ rest }: { rest: string[] }) {
    return <p>{rest.join("/")}</p>;
}
