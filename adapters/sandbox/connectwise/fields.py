"""Which fields a record can have: a condition, an order or a patch that names another is an error."""

from __future__ import annotations

COMPANY = frozenset(
    """
    id identifier name status addressLine1 addressLine2 city state zip country phoneNumber faxNumber website territory
    market accountNumber defaultContact dateAcquired sicCode parentCompany annualRevenue creditLimit additionalDebt
    numberOfEmployees yearEstablished revenueYear ownershipType timeZoneSetup leadSource leadFlag unsubscribeFlag
    calendar userDefinedField1 userDefinedField2 userDefinedField3 userDefinedField4 userDefinedField5 userDefinedField6
    userDefinedField7 userDefinedField8 userDefinedField9 userDefinedField10 vendorIdentifier taxIdentifier taxCode
    billingTerms invoiceTemplate pricingSchedule companyEntityType billToCompany billingSite billingContact
    invoiceDeliveryMethod emailTemplate invoiceToEmailAddress invoiceCCEmailAddress deletedFlag dateDeleted deletedBy
    mobileGuid facebookUrl twitterUrl linkedInUrl currency territoryManager resellerIdentifier isVendorFlag types site
    integratorTags _info customFields
    """.split()
)
CONTACT = frozenset(
    """
    id firstName lastName company site addressLine1 addressLine2 city state zip country relationship
    relationshipOverride department inactiveFlag defaultMergeContactId securityIdentifier managerContact
    assistantContact title school nickName marriedFlag childrenFlag children significantOther portalPassword
    portalSecurityLevel disablePortalLoginFlag unsubscribeFlag gender birthDay anniversary presence mobileGuid
    facebookUrl twitterUrl linkedInUrl defaultPhoneType defaultPhoneNbr defaultPhoneExtension defaultBillingFlag
    defaultFlag userDefinedField1 userDefinedField2 userDefinedField3 userDefinedField4 userDefinedField5
    userDefinedField6 userDefinedField7 userDefinedField8 userDefinedField9 userDefinedField10 companyLocation
    communicationItems types integratorTags customFields photo ignoreDuplicates _info typeIds
    """.split()
)
AGREEMENT = frozenset(
    """
    id name type company contact site subContractCompany subContractContact parentAgreement customerPO location
    department restrictLocationFlag restrictDepartmentFlag startDate endDate noEndingDateFlag opportunity cancelledFlag
    dateCancelled reasonCancelled sla workOrder internalNotes applicationUnits applicationLimit applicationCycle
    applicationUnlimitedFlag oneTimeFlag coverAgreementTime coverAgreementProduct coverAgreementExpense coverSalesTax
    carryOverUnused allowOverruns expiredDays limit expireWhenZero chargeToFirm employeeCompRate employeeCompNotExceed
    compHourlyRate compLimitAmount billingCycle billOneTimeFlag billingTerms invoicingCycle billToCompany billToContact
    billToSite billAmount taxable prorateFirstBill billStartDate taxCode restrictDownPayment prorateFlag
    invoiceProratedAdditionsFlag invoiceDescription topComment bottomComment workRole workType projectType
    invoiceTemplate billTime billExpenses billProducts billableTimeInvoice billableExpenseInvoice billableProductInvoice
    currency periodType autoInvoiceFlag billZeroAmountFlag nextInvoiceDate companyLocation shipToCompany shipToContact
    shipToSite agreementStatus _info customFields
    """.split()
)
ADDITION = frozenset(
    """
    id product quantity lessIncluded unitPrice unitCost billCustomer effectiveDate cancelledDate taxableFlag
    serialNumber invoiceDescription purchaseItemFlag specialOrderFlag agreementId description billedQuantity uom
    extPrice extCost sequenceNumber margin prorateCost proratePrice extendedProrateCost extendedProratePrice
    prorateCurrentPeriodFlag opportunity agreementStatus invoiceGrouping _info customFields
    """.split()
)
RECAP = frozenset(
    """
    id adjustmentAmount agreementStatus name availableAmount companyName isUnlimited lastInvoiceAmount lastInvoiceDate
    lastInvoiceNumber nextInvoiceAmount nextInvoiceDate overrunAmount remainingAmount startingAmount
    unbilledOverageAmount unbilledPeriods usedAmount
    """.split()
)
AGREEMENT_TYPE = frozenset(
    """
    id name prefixSuffixOption defaultFlag inactiveFlag prePaymentFlag invoicePreSuffix location department
    restrictLocationFlag restrictDepartmentFlag sla applicationUnits applicationLimit applicationCycle
    applicationUnlimitedFlag oneTimeFlag coverAgreementTimeFlag coverAgreementProductFlag coverAgreementExpenseFlag
    coverSalesTaxFlag carryOverUnusedFlag allowOverrunsFlag expiredDays limit expireWhenZero chargeToFirmFlag
    employeeCompRate employeeCompNotExceed compHourlyRate compLimitAmount billingCycle billOneTimeFlag billingTerms
    invoicingCycle billAmount taxableFlag restrictDownPaymentFlag invoiceDescription topCommentFlag bottomCommentFlag
    workRole workType projectType invoiceTemplate billTime billExpenses billProducts billableTimeInvoiceFlag
    billableExpenseInvoiceFlag billableProductInvoiceFlag copyWorkRolesFlag copyWorkTypesFlag exclusionWorkRoleIds
    addAllWorkRoleExclusions removeAllWorkRoleExclusions exclusionWorkTypeIds addAllWorkTypeExclusions
    removeAllWorkTypeExclusions integrationXRef prorateFlag emailTemplate autoInvoiceFlag billZeroAmountFlag
    invoiceProratedAdditionsFlag _info connectWiseId
    """.split()
)
INVOICE = frozenset(
    """
    id invoiceNumber type status company billToCompany shipToCompany accountNumber applyToType applyToId attention
    shipToAttention billingSite billingSiteAddressLine1 billingSiteAddressLine2 billingSiteCity billingSiteState
    billingSiteZip billingSiteCountry shippingSite shippingSiteAddressLine1 shippingSiteAddressLine2 shippingSiteCity
    shippingSiteState shippingSiteZip shippingSiteCountry billingTerms reference customerPO templateSetupId
    invoiceTemplate emailTemplateId addToBatchEmailList date restrictDownpaymentFlag locationId location departmentId
    department territoryId territory topComment bottomComment taxableFlag taxCode internalNotes
    downpaymentPreviouslyTaxedFlag serviceTotal overrideDownPaymentAmountFlag currency dueDate expenseTotal productTotal
    previousProgressApplied serviceAdjustmentAmount agreementAmount downpaymentApplied subtotal total
    remainingDownpayment salesTax adjustmentReason adjustedBy closedBy payments credits balance specialInvoiceFlag
    billingSetupReference ticket project phase salesOrder agreement glBatch unbatchedBatch _info customFields
    """.split()
)
PAYMENT = frozenset(
    """
    id type source invoice credit amount balance invoiceBalance invoiceTotal paymentDate appliedBy _info wisePayPayment
    paymentSyncStatus glBatchID paymentSyncDate paymentAccount aRPaymentAccount
    """.split()
)
BILLING_CYCLE = frozenset(
    """
    id identifier name defaultFlag billingOptions _info
    """.split()
)
BILLING_TERM = frozenset(
    """
    id name defaultFlag dueDays termsXref _info
    """.split()
)
BILLING_STATUS = frozenset(
    """
    id name sortOrder defaultFlag closedFlag inactiveFlag sentFlag _info connectWiseId
    """.split()
)
TAX_CODE = frozenset(
    """
    id identifier description invoiceCaption country effectiveDate defaultFlag displayOnInvoiceFlag
    canadaCalculateGSTFlag cancelDate levelOneRate levelOneRateType levelOneTaxableMax levelOneCaption
    levelOneTaxCodeXref levelOneAgencyXref levelOneServicesFlag levelOneExpensesFlag levelOneProductsFlag
    levelOneApplySingleUnitFlag levelOneApplySingleUnitMin levelOneApplySingleUnitMax workRoleIds addAllWorkRoles
    removeAllWorkRoles expenseTypeIds addAllExpenseTypes removeAllExpenseTypes productTypeIds addAllProductTypes
    removeAllProductTypes _info
    """.split()
)
CURRENCY = frozenset(
    """
    id currencyIdentifier name symbol displayIdFlag displaySymbolFlag currencyCode thousandsSeparator decimalSeparator
    negativeParenthesesFlag rightAlign numberOfDecimals reportFormat _info
    """.split()
)
USER_DEFINED_FIELD = frozenset(
    """
    id podId caption sequenceNumber screenId helpText fieldTypeIdentifier numberDecimals entryTypeIdentifier
    requiredFlag displayOnScreenFlag readOnlyFlag listViewFlag buttonUrl options businessUnitIds locationIds
    addAllBusinessUnits removeAllBusinessUnits addAllLocations removeAllLocations connectWiseID dateCreated _info
    """.split()
)
CALLBACK = frozenset(
    """
    id description url objectId type level memberId payloadVersion inactiveFlag isSoapCallbackFlag isSelfSuppressedFlag
    connectWiseID _info
    """.split()
)
