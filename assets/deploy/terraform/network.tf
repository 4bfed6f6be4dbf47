# The network: three tiers in every zone. Public: load balancer and NAT. App: the instances (in the
# public tier where there is no NAT). Data: database and cache, with no way out at all.

resource "aws_vpc" "this" {
  cidr_block           = var.vpc_cidr
  enable_dns_support   = true
  enable_dns_hostnames = true

  lifecycle {
    precondition {
      condition     = length(local.zones) >= local.profile.zones || var.availability_zones != null
      error_message = "This region has fewer zones than profile = \"${var.profile}\" uses. Choose another region, or give availability_zones."
    }
  }
}

# Whatever names no security group would get this one: it admits nothing.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-default-empty" }
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_subnet" "public" {
  for_each = local.zones

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.key
  cidr_block              = cidrsubnet(var.vpc_cidr, 8, each.value)
  map_public_ip_on_launch = false
  tags                    = { Name = "${var.name}-public-${each.key}" }
}

resource "aws_subnet" "data" {
  for_each = local.zones

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.key
  cidr_block              = cidrsubnet(var.vpc_cidr, 8, 8 + each.value)
  map_public_ip_on_launch = false
  tags                    = { Name = "${var.name}-data-${each.key}" }
}

resource "aws_subnet" "app" {
  for_each = local.zones

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.key
  cidr_block              = cidrsubnet(var.vpc_cidr, 4, 1 + each.value)
  map_public_ip_on_launch = false
  tags                    = { Name = "${var.name}-app-${each.key}" }
}

# Ways out

locals {
  # The zones with a NAT of their own, and which of them each zone's instances go through.
  nat_zones = {
    none     = []
    single   = slice(local.zone_names, 0, 1)
    per_az   = local.zone_names
    regional = []
  }[local.nat]
  nat_of = { for zone in local.zone_names : zone =>
    local.nat == "regional" ? aws_nat_gateway.regional[0].id :
    aws_nat_gateway.zonal[local.nat == "single" ? local.zone_names[0] : zone].id
    if local.nat != "none"
  }
}

resource "aws_eip" "nat" {
  # checkov:skip=CKV2_AWS_19:It belongs to a NAT gateway, not to an instance
  for_each = toset(local.nat_zones)

  domain     = "vpc"
  tags       = { Name = "${var.name}-nat-${each.key}" }
  depends_on = [aws_internet_gateway.this]
}

resource "aws_nat_gateway" "zonal" {
  for_each = toset(local.nat_zones)

  subnet_id     = aws_subnet.public[each.key].id
  allocation_id = aws_eip.nat[each.key].id
  tags          = { Name = "${var.name}-${each.key}" }
  depends_on    = [aws_internet_gateway.this]
}

# One gateway that AWS itself spreads over the zones that are in use.
resource "aws_nat_gateway" "regional" {
  count = local.nat == "regional" ? 1 : 0

  availability_mode = "regional"
  vpc_id            = aws_vpc.this.id
  depends_on        = [aws_internet_gateway.this]
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-public" }
}

resource "aws_route" "public" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route_table_association" "public" {
  for_each = local.zones

  subnet_id      = aws_subnet.public[each.key].id
  route_table_id = aws_route_table.public.id
}

# A table for each zone: with a NAT in each, losing one zone cuts no other off.
resource "aws_route_table" "app" {
  for_each = local.zones

  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-app-${each.key}" }
}

resource "aws_route" "app" {
  for_each = local.nat == "none" ? {} : local.zones

  route_table_id         = aws_route_table.app[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = local.nat_of[each.key]
}

resource "aws_route_table_association" "app" {
  for_each = local.zones

  subnet_id      = aws_subnet.app[each.key].id
  route_table_id = aws_route_table.app[each.key].id
}

# No route but the network's own.
resource "aws_route_table" "data" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-data" }
}

resource "aws_route_table_association" "data" {
  for_each = local.zones

  subnet_id      = aws_subnet.data[each.key].id
  route_table_id = aws_route_table.data.id
}

# The program comes from S3, and so do Amazon Linux's packages: neither pays for a NAT.
resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${data.aws_region.current.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = concat([aws_route_table.public.id], [for table in aws_route_table.app : table.id])
}

# Who spoke with whom, in production

resource "aws_cloudwatch_log_group" "flow" {
  # checkov:skip=CKV_AWS_158:Encrypted with CloudWatch's own key; addresses and ports are all it holds
  # checkov:skip=CKV_AWS_338:Kept as long as the profile says; a year of flows costs more than it tells
  count = local.profile.flow_logs ? 1 : 0

  name              = "/${var.name}/flow"
  retention_in_days = local.profile.log_days
}

resource "aws_iam_role" "flow" {
  count = local.profile.flow_logs ? 1 : 0

  name_prefix = "${var.name}-flow-"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "vpc-flow-logs.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "flow" {
  count = local.profile.flow_logs ? 1 : 0

  name_prefix = "write-"
  role        = aws_iam_role.flow[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
      Resource = "${aws_cloudwatch_log_group.flow[0].arn}:*"
    }]
  })
}

resource "aws_flow_log" "this" {
  count = local.profile.flow_logs ? 1 : 0

  vpc_id          = aws_vpc.this.id
  traffic_type    = "ALL"
  log_destination = aws_cloudwatch_log_group.flow[0].arn
  iam_role_arn    = aws_iam_role.flow[0].arn
}
