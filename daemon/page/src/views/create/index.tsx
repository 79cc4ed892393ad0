// Create.
export function Create({ rest }: { rest: string[] }) {
    return <p>{rest.join("/")}</p>;
}
