"""The web UI around us: its folders, whether it draws, its lists, its model. Only here are its modules asked."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from modules import call_queue, paths, progress, sd_models, shared


class WebUI:
    """AUTOMATIC1111's web UI, Forge or one of Forge's successors."""

    def __init__(self) -> None:
        """Nothing is asked yet."""
        self._freed = False

    @property
    def kind(self) -> str:
        """`forge`, where its own package is there, else `a1111`."""
        return "forge" if importlib.util.find_spec("modules_forge") else "a1111"

    @property
    def data_dir(self) -> Path:
        """The folder that holds `models`."""
        return Path(paths.data_path).resolve()

    @property
    def loras_dir(self) -> Path:
        """Where it looks for LoRAs."""
        return Path(shared.cmd_opts.lora_dir).resolve()

    @property
    def embeddings_dir(self) -> Path:
        """Where it looks for embeddings."""
        return Path(shared.cmd_opts.embeddings_dir).resolve()

    @property
    def checkpoint_dirs(self) -> list[Path]:
        """Where it looks for checkpoints."""
        usual = Path(paths.models_path) / "Stable-diffusion"
        given = getattr(shared.cmd_opts, "ckpt_dir", None)
        return [folder.resolve() for folder in (usual, *([Path(given)] if given else [])) if folder.is_dir()]

    @property
    def address(self) -> str:
        """Where programs on this machine reach it."""
        given = getattr(shared.cmd_opts, "server_name", None)
        return given if given and given not in ("0.0.0.0", "::") else "127.0.0.1"

    def busy(self) -> bool:
        """Whether it draws."""
        # The name of a job is empty for tasks without a progress bar, its count then is not.
        return bool(shared.state.job or shared.state.job_count or progress.current_task)

    def held_bytes(self) -> int | None:
        """Bytes of the graphics card that it holds; none without one."""
        torch = sys.modules.get("torch")
        if torch is None or not torch.cuda.is_available():
            return None
        return sum(torch.cuda.memory_reserved(card) for card in range(torch.cuda.device_count()))

    def refresh(self, stem: str) -> dict[str, bool]:
        """Makes it look for the files of a concept, without a restart; says which it sees."""
        return {"lora": self._sees_lora(f"{stem}_lora"), "embedding": self._sees_embedding(f"{stem}_embeddings")}

    def free(self) -> bool:
        """Moves the model off the graphics card, unless it draws; whether nothing of it is left there."""
        # The lock of everything that uses the model.
        if self.busy() or not call_queue.queue_lock.acquire(blocking=False):
            return False
        try:
            if _loaded_model() is not None:
                sd_models.unload_model_weights()
                self._freed = True
        finally:
            call_queue.queue_lock.release()
        return True

    def restore(self) -> None:
        """Moves the model back before it draws: A1111 takes a model that was unloaded for one that is in place."""
        model = _loaded_model()
        if self._freed and model is not None:
            sd_models.send_model_to_device(model)
        self._freed = False

    def _sees_lora(self, name: str) -> bool:
        # A module of the built-in extension that loads LoRAs.
        networks = sys.modules.get("networks")
        if not hasattr(networks, "available_networks"):
            return any(self.loras_dir.rglob(f"{name}.safetensors"))
        if name not in networks.available_networks:
            if look := getattr(networks, "update_available_networks_by_names", None):
                look([name])
            else:
                networks.list_available_networks()
        return name in networks.available_networks

    def _sees_embedding(self, name: str) -> bool:
        file = self.embeddings_dir / f"{name}.safetensors"
        if not file.is_file():
            return False
        # Without a model this is all: every model loads what is there when it is loaded itself.
        for database in _embedding_databases():
            # One file is added. Reading all of them anew would take them from a picture that is being drawn.
            if not _knows(database, name):
                database.load_from_file(str(file), file.name)
            if not _knows(database, name):
                return False
        return True


def _knows(database: Any, name: str) -> bool:
    # Skipped are those of other kinds of models; they count when such a model is loaded.
    return name in database.word_embeddings or name in database.skipped_embeddings


def _loaded_model() -> Any:
    # `shared.sd_model` would load one.
    model = sd_models.model_data.sd_model
    # Forge begins with an object in place of a model.
    return None if type(model).__name__ == "FakeInitialModel" else model


def _embedding_databases() -> list[Any]:
    model = _loaded_model()
    if model is None:
        return []
    engines = ("text_processing_engine", "text_processing_engine_l", "text_processing_engine_g")
    databases = [getattr(getattr(model, engine, None), "embeddings", None) for engine in engines]
    if of_forge := [database for database in databases if database is not None]:
        return of_forge
    from modules import sd_hijack

    hijack = getattr(sd_hijack, "model_hijack", None)
    database = getattr(hijack, "embedding_db", None)
    return [] if database is None else [database]
