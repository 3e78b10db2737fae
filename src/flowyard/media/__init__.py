"""Pictures in data, in prompts and in results: read, downloaded with care, shown to models, written beside a run."""

from flowyard.media.formats import MESSAGE_FORMATS, MessageFormat, message_format
from flowyard.media.image import Image, PFBytes, Text
from flowyard.media.load import load_media, prompty_image
from flowyard.media.prompt import LinesList, in_lines, placeholders, separate_images, template_images
from flowyard.media.size import picture_size
from flowyard.media.urls import UrlRules
from flowyard.media.values import may_hold_media
from flowyard.media.writer import MediaWriter, as_base64, dump_media

__all__ = [
    "MESSAGE_FORMATS",
    "Image",
    "LinesList",
    "MediaWriter",
    "MessageFormat",
    "PFBytes",
    "Text",
    "UrlRules",
    "as_base64",
    "dump_media",
    "in_lines",
    "load_media",
    "may_hold_media",
    "message_format",
    "picture_size",
    "placeholders",
    "prompty_image",
    "separate_images",
    "template_images",
]
