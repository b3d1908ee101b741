"""The records of the demo workspace: three accounts in a hierarchy, contacts, users and deals."""

from decimal import Decimal

from db.records.records import Account, Contact, Member, Opportunity

MIRA, JONAS, ELIF = "mira.falk@vendor.example", "jonas.brandt@vendor.example", "elif.aksoy@vendor.example"

MEMBERS = [
    Member(email=MIRA, name="Mira Falk"),
    Member(email=JONAS, name="Jonas Brandt", manager_email=MIRA),
    Member(email=ELIF, name="Elif Aksoy", manager_email=MIRA),
]

GROUP = Account(
    id="halden-group",
    name="Halden Group",
    domain="halden.example",
    owner_email=MIRA,
    fields={"industry": "Holding", "employees": 5400},
)
LOGISTICS = Account(
    id="halden-logistics",
    name="Halden Logistics",
    parent_id=GROUP.id,
    domain="logistics.halden.example",
    owner_email=JONAS,
    fields={"industry": "Logistics", "employees": 2100},
)
COLD_CHAIN = Account(
    id="halden-cold-chain",
    name="Halden Cold Chain",
    parent_id=LOGISTICS.id,
    domain="coldchain.halden.example",
    owner_email=ELIF,
    fields={"industry": "Logistics", "employees": 340},
)
ACCOUNTS = [GROUP, LOGISTICS, COLD_CHAIN]


def _contact(account: Account, name: str, title: str) -> Contact:
    local = ".".join(name.lower().split())
    return Contact(
        id=local.replace(".", "-"),
        account_id=account.id,
        name=name,
        email=f"{local}@{account.domain}",
        owner_email=account.owner_email,
        fields={"title": title},
    )


CONTACTS = [
    _contact(GROUP, "Ingrid Solberg", "Chief Executive"),
    _contact(GROUP, "Tomas Reyes", "Chief Financial Officer"),
    _contact(GROUP, "Hana Okafor", "Head of Procurement"),
    _contact(LOGISTICS, "Piotr Zielinski", "Head of Operations"),
    _contact(LOGISTICS, "Lucia Marin", "Fleet Manager"),
    _contact(LOGISTICS, "Samir Haddad", "Head of IT"),
    _contact(LOGISTICS, "Greta Lindqvist", "Customs Lead"),
    _contact(LOGISTICS, "Wen Li", "Data Analyst"),
    _contact(COLD_CHAIN, "Anton Weiss", "Managing Director"),
    _contact(COLD_CHAIN, "Noor Rahman", "Quality Manager"),
    _contact(COLD_CHAIN, "Clara Petit", "Warehouse Manager"),
    _contact(COLD_CHAIN, "Diego Santos", "Purchasing"),
]


def _deal(account: Account, number: int, name: str, stage: str, amount: str) -> Opportunity:
    return Opportunity(
        id=f"deal-{number}",
        account_id=account.id,
        name=name,
        stage=stage,
        amount=Decimal(amount),
        currency="EUR",
        owner_email=account.owner_email,
    )


# The stage is the one a deal is in at the end of the history.
DEALS = [
    _deal(GROUP, 1, "Group framework agreement", "Negotiation", "480000.00"),
    _deal(LOGISTICS, 2, "Fleet telematics", "Won", "125000.00"),
    _deal(LOGISTICS, 3, "Customs automation", "Lost", "64000.00"),
    _deal(COLD_CHAIN, 4, "Temperature monitoring", "Won", "38500.00"),
    _deal(COLD_CHAIN, 5, "Warehouse extension", "Proposal", "91000.00"),
]

ACCOUNT_OF = {account.id: account for account in ACCOUNTS}
