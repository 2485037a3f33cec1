"""A secret named in the configuration by file or environment variable; never written inline, never shown."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator

from connector.errors import ConfigError

MAX_CHARACTERS = 100_000
FOLDER = "folder"  # of the validation context: relative files are relative to it


class Secret(BaseModel):
    """`{file: PATH}` or `{env: NAME}`. Read when asked for, so that a rotated file is seen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path | None = None
    env: str | None = None

    @field_validator("file")
    @classmethod
    def _beside_the_configuration(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        folder = (info.context or {}).get(FOLDER)
        return folder / file if folder is not None and file is not None else file

    @model_validator(mode="after")
    def _one_place(self) -> Secret:
        if (self.file is None) == (self.env is None):
            raise ValueError("write either 'file: PATH' or 'env: NAME'")
        return self

    def get(self) -> str:
        """The secret's text without surrounding white space. ConfigError names the place when it is missing or empty."""
        value = self._read().strip()
        if not value:
            raise ConfigError(f"the secret in {self.place} is empty")
        return value

    @property
    def place(self) -> str:
        return f"file {self.file}" if self.file else f"environment variable {self.env}"

    def _read(self) -> str:
        if self.env is not None:
            if self.env not in os.environ:
                raise ConfigError(f"environment variable {self.env} is not set; it should hold a secret")
            return os.environ[self.env]
        assert self.file is not None  # noqa: S101 - the validator saw to it
        try:
            with self.file.open(encoding="utf-8") as stream:
                return stream.read(MAX_CHARACTERS)
        except OSError as error:
            raise ConfigError(f"the secret file {self.file} cannot be read: {error.strerror}") from None
        except ValueError:  # no UTF-8, or no possible file name
            raise ConfigError(f"the secret file {self.file} holds no text") from None
