"""What the node tells of itself: log, audit trail."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field


class Telling(BaseModel):
    """Settings of log and audit trail."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="What goes to the log.")
    audit_patient_id: bool = Field(
        False,
        description="Write patient IDs into audit records instead of a keyed hash; only where trail and repository "
        "are protected for that.",
    )
    keep_audit_days: Annotated[int, Field(ge=0)] = Field(
        0,
        description="Files of the audit journal whose day (UTC) is more than so many days ago are removed; 0: never.",
    )
    audit_site: str = Field("", description="AuditEnterpriseSiteID of our audit records; empty: none.")
    audit_syslog: str = Field(
        "",
        pattern=r"^((udp|tls)://(\[[0-9A-Fa-f:.]+\]|[^/\s:@\[\]]+)(:\d{1,5})?)?$",
        description="Audit repository that gets a copy of each record, as udp://HOST:PORT or tls://HOST:PORT; empty: "
        "none. The journal in the data folder's `audit` is the record.",
    )
    audit_syslog_ca_file: str = Field(
        "", description="PEM file of the authorities that the repository's certificate is checked against."
    )
    audit_syslog_certificate_file: str = Field("", description="PEM file of our certificate for the repository.")
    audit_syslog_key_file: str = Field("", description="PEM file of that certificate's key.")
