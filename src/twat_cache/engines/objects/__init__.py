"""The engine on object stores: S3 and what is compatible, Google Cloud Storage, Azure Blobs."""

from .async_engine import AsyncObjectStoreEngine
from .engine import ObjectStoreEngine

__all__ = ["AsyncObjectStoreEngine", "ObjectStoreEngine"]
