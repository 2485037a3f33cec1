"""What Autotask tells about its entities: names, types, flags and picklists, as published.

One word a field: `name:type`, then after a second colon any of `w` (writable), `r` (required), `u` (cannot be queried),
`p` (picklist), and `>Entity` for a reference. What is not writable is read-only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

_TYPES = {"int": "integer", "long": "long", "num": "double", "bool": "boolean", "str": "string"}
_TYPES |= dict.fromkeys(("date", "day"), "datetime")

_FIELDS = {
    "BillingItems": """
        id:long accountManagerWhenApprovedID:int billingCodeID:int billingItemType:int:p companyID:int:>Companies
        configurationItemID:long contractChargeID:long contractID:int:>Contracts description:str expenseItemID:int
        extendedPrice:num internalCurrencyExtendedPrice:num internalCurrencyRate:num internalCurrencyTaxDollars:num
        internalCurrencyTotalAmount:num invoiceID:int:>Invoices itemApproverID:int itemDate:day itemName:str
        lineItemFullDescription:str:u lineItemGroupDescription:str:u lineItemID:long milestoneID:long nonBillable:int
        organizationalLevelAssociationID:int ourCost:num postedDate:day postedOnTime:date projectChargeID:long
        projectID:int purchaseOrderNumber:str quantity:num rate:num roleID:int serviceBundleID:long:>ServiceBundles
        serviceID:long:>Services subType:int:p taskID:int taxDollars:num ticketChargeID:long ticketID:int
        timeEntryID:int totalAmount:num vendorID:long webServiceDate:date:w""",
    "Companies": """
        id:long additionalAddressInformation:str:w address1:str:w address2:str:w alternatePhone1:str:w
        alternatePhone2:str:w apiVendorID:int assetValue:num:w billToCompanyLocationID:int:w
        billToAdditionalAddressInformation:str:w billingAddress1:str:w billingAddress2:str:w billToAddressToUse:int:wp
        billToAttention:str:w billToCity:str:w billToCountryID:int:w billToState:str:w billToZipCode:str:w city:str:w
        classification:int:w companyName:str:wr companyNumber:str:w companyType:int:wrp competitorID:int:w
        countryID:int:w createDate:date createdByResourceID:int currencyID:int:w>Currencies fax:str:w
        impersonatorCreatorResourceID:int invoiceEmailMessageID:int:w invoiceMethod:int:w
        invoiceNonContractItemsToParentCompany:bool:w invoiceTemplateID:int:w isActive:bool:w
        isClientPortalActive:bool:w isEnabledForComanaged:bool:w isTaskFireActive:bool:w isTaxExempt:bool:w
        lastActivityDate:date lastTrackedModifiedDateTime:date marketSegmentID:int:w ownerResourceID:int:wr
        parentCompanyID:int:w>Companies phone:str:wr postalCode:str:w quoteEmailMessageID:int:w quoteTemplateID:int:w
        sicCode:str:w state:str:w stockMarket:str:w stockSymbol:str:w surveyCompanyRating:num:w taxID:str:w
        taxRegionID:int:w>TaxRegions territoryID:int:w webAddress:str:w""",
    "Contacts": """
        id:long additionalAddressInformation:str:w addressLine:str:w addressLine1:str:w alternatePhone:str:w
        apiVendorID:int bulkEmailOptOutTime:date city:str:w companyID:int:wr>Companies companyLocationID:int:w
        countryID:int:w createDate:date emailAddress:str:w emailAddress2:str:w emailAddress3:str:w extension:str:w
        externalID:str:w facebookUrl:str:w faxNumber:str:w firstName:str:wr impersonatorCreatorResourceID:int
        isActive:int:wr isOptedOutFromBulkEmail:bool:w lastActivityDate:date lastModifiedDate:date lastName:str:wr
        linkedInUrl:str:w middleInitial:str:w mobilePhone:str:w namePrefix:int:w nameSuffix:int:w note:str:w
        receivesEmailNotifications:bool:w phone:str:w primaryContact:bool:w roomNumber:str:w solicitationOptOut:bool:w
        solicitationOptOutTime:date state:str:w surveyOptOut:bool:w title:str:w twitterUrl:str:w zipCode:str:w""",
    "Contracts": """
        id:long billingPreference:int:wp billToCompanyContactID:int:w>Contacts billToCompanyID:int:w>Companies
        companyID:int:wr>Companies contactID:int:w>Contacts contactName:str:w contractCategory:int:wp
        contractExclusionSetID:int:w contractName:str:wr contractNumber:str:w contractPeriodType:int:wp
        contractType:int:wrp description:str:w endDate:day:wr estimatedCost:num:w estimatedHours:num:w
        estimatedRevenue:num:w exclusionContractID:long:w internalCurrencyOverageBillingRate:num
        internalCurrencySetupFee:num isCompliant:bool isDefaultContract:bool:w opportunityID:int:w
        organizationalLevelAssociationID:int:w overageBillingRate:num:w purchaseOrderNumber:str:w
        renewedContractID:long>Contracts serviceLevelAgreementID:int:w setupFee:num:w setupFeeBillingCodeID:long:w
        startDate:day:r status:int:wrp timeReportingRequiresStartAndStopTimes:int:wr""",
    "ContractServices": """
        id:long contractID:int:r>Contracts internalCurrencyAdjustedPrice:num internalCurrencyUnitPrice:num
        internalDescription:str:w invoiceDescription:str:w quoteItemID:long serviceID:int:r>Services unitCost:num
        unitPrice:num""",
    "ContractServiceUnits": """
        id:long approveAndPostDate:date contractID:int:r>Contracts contractServiceID:int>ContractServices cost:num
        endDate:day:r internalCurrencyPrice:num organizationalLevelAssociationID:int price:num serviceID:int:r>Services
        startDate:day:r units:int:r vendorCompanyID:int>Companies""",
    "ContractServiceBundles": """
        id:long adjustedPrice:num contractID:int:r>Contracts internalCurrencyAdjustedPrice:num
        internalCurrencyUnitPrice:num internalDescription:str:w invoiceDescription:str:w quoteItemID:long
        serviceBundleID:int:r>ServiceBundles unitPrice:num""",
    "ContractServiceBundleUnits": """
        id:long approveAndPostDate:date contractID:int:r>Contracts contractServiceBundleID:int>ContractServiceBundles
        cost:num endDate:day:r internalCurrencyPrice:num organizationalLevelAssociationID:int price:num
        serviceBundleID:int:r>ServiceBundles startDate:day:r units:int:r""",
    "ContractServiceAdjustments": """
        id:long:u adjustedUnitCost:num:wu adjustedUnitPrice:num:wu allowRepeatService:bool:wu
        contractID:int:wu>Contracts contractServiceID:int:wu>ContractServices effectiveDate:day:wru quoteItemID:int:wu
        serviceID:int:wu>Services unitChange:int:wru""",
    "ContractServiceBundleAdjustments": """
        id:long:u adjustedUnitPrice:num:wu allowRepeatServiceBundle:bool:wu contractID:int:wu>Contracts
        contractServiceBundleID:int:wu>ContractServiceBundles effectiveDate:day:wru quoteItemID:int:wu
        serviceBundleID:int:wu>ServiceBundles unitChange:int:wru""",
    "Services": """
        id:long billingCodeID:int:wr createDate:date creatorResourceID:int description:str:w invoiceDescription:str:w
        isActive:bool:w lastModifiedDate:date markupRate:num name:str:wr periodType:int:rp serviceLevelAgreementID:long:w
        unitCost:num:w unitPrice:num:wr updateResourceID:int vendorCompanyID:int:w>Companies""",
    "ServiceBundles": """
        id:long billingCodeID:int:wr createDate:date creatorResourceID:int description:str:w invoiceDescription:str:w
        isActive:bool:w lastModifiedDate:date name:str:wr percentageDiscount:num:w periodType:int:rp
        serviceLevelAgreementID:long:w unitCost:num unitDiscount:num:w unitPrice:num updateResourceID:int""",
    "ServiceBundleServices": "id:long serviceBundleID:long:r>ServiceBundles serviceID:long:r>Services",
    "Invoices": """
        id:long batchID:int comments:str companyID:int:>Companies createDateTime:date creatorResourceID:int dueDate:day:u
        fromDate:day invoiceDateTime:date invoiceEditorTemplateID:int invoiceNumber:str:w invoiceTotal:num isVoided:bool
        orderNumber:str paidDate:day:w paymentTerm:int:>PaymentTerms taxGroup:int taxRegionName:str toDate:day
        totalTaxValue:num voidedByResourceID:int voidedDate:day webServiceDate:date:w""",
    "PaymentTerms": "id:long description:str:w isActive:bool:w name:str:wr paymentDueInDays:int:wr",
    "TaxRegions": "id:long isActive:bool:w name:str:wr",
    "Taxes": "id:long isCompounded:bool:w taxCategoryID:int:wr taxName:str:wr taxRate:num:wr taxRegionID:int:wr>TaxRegions",
    "Currencies": """
        id:long currencyNegativeFormat:str currencyPositiveFormat:str description:str displaySymbol:int exchangeRate:num
        isActive:bool isInternalCurrency:bool lastModifiedDateTime:date name:str updateResourceId:int""",
}
_CODES = ("Inactive", "Active")
PERIOD_TYPES = {2: "Monthly", 3: "Quarterly", 4: "Semi-Annual", 5: "Yearly"}
CONTRACT_TYPES = {1: "Time & Materials", 3: "Fixed Price", 4: "Block Hours", 6: "Retainer", 7: "Recurring Service"}
CONTRACT_TYPES |= {8: "Per Ticket"}
_PICKLISTS: dict[tuple[str, str], dict[int, str]] = {
    ("Contracts", "status"): dict(enumerate(_CODES)),
    ("Contracts", "contractType"): CONTRACT_TYPES,
    ("Contracts", "contractPeriodType"): PERIOD_TYPES,
    ("Contracts", "contractCategory"): {12: "Managed Services", 13: "Cloud Services", 15: "Other"},
    ("Contracts", "billingPreference"): {1: "Immediately without timesheet approval", 2: "Manually", 3: "On timesheet approval"},
    ("Services", "periodType"): PERIOD_TYPES,
    ("ServiceBundles", "periodType"): PERIOD_TYPES,
    ("Companies", "companyType"): {1: "Customer", 2: "Lead", 3: "Prospect", 4: "Dead", 6: "Cancelation", 7: "Vendor"},
    ("Companies", "billToAddressToUse"): {1: "Account Address", 2: "Parent Account Address", 3: "Custom Address"},
    ("BillingItems", "billingItemType"): {
        1: "Labor",
        4: "Project, Ticket or Contract Charge",
        9: "Recurring Service",
        10: "Recurring Service Bundle",
        11: "Contract Setup Fee",
    },
    ("BillingItems", "subType"): {},
}
_UDFS = {
    "Companies": {"Autopay": "string", "Autopay Link": "string"},
    "Contracts": {"Autopay": "string", "Invoice Group": "string", "Charge Day": "number"},
}
_MAY = {  # create, update
    "BillingItems": (False, True),
    "ContractServiceAdjustments": (True, False),
    "ContractServiceBundleAdjustments": (True, False),
    "ContractServiceUnits": (False, False),
    "ContractServiceBundleUnits": (False, False),
    "Invoices": (False, True),
    "ServiceBundleServices": (True, False),
    "Currencies": (False, True),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    name: str
    type: str  # int, long, num, bool, date, day, str; a day is a moment on the wire, always midnight
    flags: str = ""
    refers: str = ""
    picklist: Mapping[int, str] | None = None

    @property
    def writable(self) -> bool:
        return "w" in self.flags

    @property
    def queryable(self) -> bool:
        return "u" not in self.flags

    def told(self, *, read_only: bool) -> dict[str, Any]:
        """As entityInformation tells it; picklist values are text there, and integers in rows."""
        return {
            "name": self.name,
            "dataType": _TYPES[self.type],
            "length": 8000 if self.type == "str" else 0,
            "isRequired": "r" in self.flags,
            "isReadOnly": read_only or not self.writable,
            "isQueryable": self.queryable,
            "isReference": bool(self.refers),
            "referenceEntityType": self.refers.removesuffix("s").replace("Companie", "Company").replace("Currencie", "Currency"),
            "isPickList": self.picklist is not None,
            "picklistValues": None if self.picklist is None else [_choice(*item) for item in self.picklist.items()],
            "picklistParentValueField": None,
            "isSupportedWebhookField": False,
        }


@dataclass(frozen=True, kw_only=True)
class Entity:
    name: str
    fields: Mapping[str, Field]
    udfs: Mapping[str, str]
    can_create: bool
    can_update: bool

    @property
    def can_query(self) -> bool:
        return not self.name.endswith("Adjustments")

    @cached_property
    def by_lower(self) -> dict[str, Field]:
        """Requests may write names in any case."""
        return {name.lower(): field for name, field in self.fields.items()}

    @cached_property
    def udf_by_lower(self) -> dict[str, str]:
        return {name.lower(): name for name in self.udfs}

    @property
    def singular(self) -> str:
        return self.name[:-3] + "y" if self.name.endswith("ies") else self.name.removesuffix("s")


def _choice(value: int, label: str) -> dict[str, Any]:
    known = {"isDefaultValue": False, "sortOrder": 0, "parentValue": "", "isActive": True, "isSystem": True}
    return {"value": str(value), "label": label, **known}


def _field(entity: str, word: str) -> Field:
    name, type, rest = [*word.split(":"), "", ""][:3]
    type, _, direct = type.partition(">")
    flags, _, refers = rest.partition(">")
    return Field(name=name, type=type, flags=flags, refers=refers or direct, picklist=_PICKLISTS.get((entity, name)))


def _entity(name: str, words: str) -> Entity:
    fields = {field.name: field for field in (_field(name, word) for word in words.split())}
    create, update = _MAY.get(name, (True, True))
    return Entity(name=name, fields=fields, udfs=_UDFS.get(name, {}), can_create=create, can_update=update)


ENTITIES = {name: _entity(name, words) for name, words in _FIELDS.items()}
ENTITY_BY_LOWER = {name.lower(): entity for name, entity in ENTITIES.items()}


def udf_told(name: str, type: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": name,
        "type": type,
        "length": 8000,
        "description": "",
        "isRequired": False,
        "isReadOnly": False,
        "isQueryable": True,
        "isReference": False,
        "referenceEntityType": "",
        "isPickList": False,
        "picklistValues": None,
        "picklistParentValueField": "",
        "defaultValue": "",
        "isSupportedWebhookField": False,
    }
