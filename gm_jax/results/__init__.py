"""What recipes were measured to give: records of runs, and the pages that are made of them."""
