// Training.
export function Training({ rest }: { rest: string[] }) {
    return <p>{rest.join("/")}</p>;
}
