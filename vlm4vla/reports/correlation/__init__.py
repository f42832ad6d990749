"""Does a better vision-language model make a better policy?"""
